//! The same functions without libFuzzer: a corpus, mutated by chance, for so many seconds.
//!
//! `bounded SECONDS [SEED]`. A panic prints the target, the seed and the input's bytes.

use std::panic::catch_unwind;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ropeway::protocol::frame::{encode, kind};

type Corpus = Vec<Vec<u8>>;
type Fuzzed = (&'static str, fn(&[u8]), Corpus);

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let (seconds, seed) = match (arguments.next(), arguments.next()) {
        (Some(Ok(seconds)), None) => (seconds, 1),
        (Some(Ok(seconds)), Some(Ok(seed))) => (seconds, seed),
        _ => {
            eprintln!("usage: bounded SECONDS [SEED]");
            return ExitCode::from(2);
        }
    };
    let targets: [Fuzzed; 3] = [
        ("frames", ropeway_fuzz::frames, streams()),
        ("names", ropeway_fuzz::names, lists_of_names()),
        ("journal", ropeway_fuzz::journal, journals()),
    ];
    let each = Duration::from_secs(seconds) / targets.len() as u32;
    for (name, target, corpus) in targets {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let until = Instant::now() + each;
        let mut runs = 0_u64;
        while runs < corpus.len() as u64 || Instant::now() < until {
            let input = match corpus.get(runs as usize) {
                Some(as_it_is) => as_it_is.clone(),
                None => mutated(&mut dice, &corpus),
            };
            if catch_unwind(|| target(&input)).is_err() {
                println!(
                    "{name}: seed {seed}, run {runs}: {:?}",
                    String::from_utf8_lossy(&input)
                );
                println!("{input:?}");
                return ExitCode::FAILURE;
            }
            runs += 1;
        }
        println!("{name}: {runs} inputs");
    }
    ExitCode::SUCCESS
}

/// xorshift64*.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound.max(1)
    }
}

fn mutated(dice: &mut Dice, corpus: &Corpus) -> Vec<u8> {
    let mut input = corpus[dice.below(corpus.len())].clone();
    for _ in 0..1 + dice.below(4) {
        let at = dice.below(input.len() + 1);
        match dice.below(7) {
            0 => input.truncate(at),
            1 => input.insert(at, dice.below(256) as u8),
            2 if at < input.len() => input[at] ^= 1 << dice.below(8),
            3 if at < input.len() => drop(input.remove(at)),
            4 => {
                let other = &corpus[dice.below(corpus.len())];
                input.splice(at.., other[dice.below(other.len() + 1)..].iter().copied());
            }
            5 => {
                let piece = input[at..(at + dice.below(64)).min(input.len())].to_vec();
                let to = dice.below(input.len() + 1);
                input.splice(to..to, piece);
            }
            _ => {
                let special: &[&[u8]] = &[
                    b"..",
                    b".ropeway",
                    b"/",
                    b"\\",
                    b"\0",
                    b" ",
                    "\u{202e}".as_bytes(),
                    b"\xff",
                    b"18446744073709551615",
                    b"-1",
                    b"1e400",
                    b"\xff\xff\xff\xff",
                    b"null",
                ];
                let piece = special[dice.below(special.len())];
                let times = if dice.below(8) == 0 { 300 } else { 1 };
                input.splice(at..at, piece.repeat(times));
            }
        }
    }
    input.truncate(1 << 16);
    input
}

/// Honest transfers of a few entries, under each behaviour of the receiver.
fn streams() -> Corpus {
    let offer = encode(
        kind::OFFER,
        br#"{"transfer":"abababababababababababababababab"}"#,
    );
    let manifest = encode(
        kind::MANIFEST,
        br#"{"entries":[{"name":"d","modified":[1,0]},{"parent":0,"name":"s","size":2},{"name":"l","size":1048577}]}"#,
    );
    let end = encode(kind::MANIFEST_END, br#"{"entries":3,"bytes":1048579}"#);
    let mut batch = Vec::new();
    batch.extend(1_u32.to_be_bytes());
    batch.extend(2_u32.to_be_bytes());
    batch.extend([7; 32]);
    batch.extend(b"hi");
    let batch = encode(kind::BATCH, &batch);
    let data = |offset: u64, len: usize| {
        let mut body = 2_u32.to_be_bytes().to_vec();
        body.extend(offset.to_be_bytes());
        body.extend(vec![9; len]);
        encode(kind::DATA, &body)
    };
    let mut file_end = 2_u32.to_be_bytes().to_vec();
    file_end.extend(1_048_577_u64.to_be_bytes());
    file_end.extend([8; 32]);
    let file_end = encode(kind::FILE_END, &file_end);
    let failed = |entry: u32| {
        encode(
            kind::FAILED,
            format!(r#"{{"entry":{entry},"code":"changed"}}"#).as_bytes(),
        )
    };
    let finish = encode(kind::FINISH, b"");
    let cancel = encode(kind::CANCEL, b"{}");
    let given_up = [failed(1), failed(2), finish.clone()].concat();
    let (begin, ping) = ([offer, manifest, end].concat(), encode(kind::PING, b""));
    let mut corpus = Vec::new();
    for choice in 0..=15 {
        for tail in [
            given_up.clone(),
            [batch.clone(), data(0, 1000), cancel.clone()].concat(),
            [
                batch.clone(),
                data(1 << 20, 1),
                data(0, 1000),
                data(1000, 1000),
            ]
            .concat(),
            [
                ping.clone(),
                data(1 << 20, 1),
                file_end.clone(),
                batch.clone(),
                finish.clone(),
            ]
            .concat(),
            [data(0, 1000), failed(2), batch.clone(), finish.clone()].concat(),
        ] {
            corpus.push([vec![choice], begin.clone(), tail].concat());
        }
    }
    corpus
}

fn lists_of_names() -> Corpus {
    let long = |what: &str| what.repeat(300);
    vec![
        b"a\nb.txt\n/folder\n>inside\n>/deeper\n>x".to_vec(),
        b"x\n/x\nx\n/x\n>x\nX\n>/x".to_vec(),
        "/.ropeway\n>lock\n.Ropeway\nropewa~1\n合同.pdf\ne\u{301}\n\u{e9}"
            .as_bytes()
            .to_vec(),
        format!("/..{}\n>plain\n..{}\n.{}", long(" "), long(" "), long(" ")).into_bytes(),
        format!(
            "{}\n{}.pdf\n/{}\n>{}",
            long("合"),
            long("合"),
            long("夹"),
            long("x")
        )
        .into_bytes(),
        "a (1)\na\na\na (1)\n-rf\n~\nCON\nnul.txt\n\u{202e}gpj.exe"
            .as_bytes()
            .to_vec(),
    ]
}

fn journals() -> Corpus {
    let header = format!(r#"{{"version":2,"transfer":"{}"}}"#, "ab".repeat(16));
    let hash = "00".repeat(32);
    let commit = |place: &str| {
        format!(
            r#"{{"commit":"{}","place":{place},"len_bytes":5,"modified":[1,0],"on_disk":[1,0],"blake3":"{hash}"}}"#,
            "11".repeat(16)
        )
    };
    let placed = format!(
        r#"{{"placed":"{}","name":"a","ours":true}}"#,
        "11".repeat(16)
    );
    let making = r#"{"making":["top"]}"#;
    vec![
        [
            &header,
            &commit(r#"["top","a"]"#),
            placed.as_str(),
            making,
            "",
        ]
        .join("\n")
        .into_bytes(),
        [&header, &commit(r#"["..","outside"]"#), placed.as_str()]
            .join("\n")
            .into_bytes(),
        [&header, making, &commit(r#"["b"]"#)]
            .join("\n")
            .into_bytes(),
        header.into_bytes(),
        Vec::new(),
    ]
}
