//! The same functions without libFuzzer: a corpus, mutated by chance, for so many seconds.
//!
//! `bounded SECONDS [SEED [TARGET]]`. A panic prints the target, the seed and the input's bytes. What is
//! in `corpus` is changed by chance; inputs that were kept find no new way, as libFuzzer's would.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ropeway_fuzz::TARGETS;

type Corpus = Vec<Vec<u8>>;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).map(|text| text.parse::<u64>());
    let (seconds, seed) = match (number(0), number(1)) {
        (Some(Ok(seconds)), None) => (seconds, 1),
        (Some(Ok(seconds)), Some(Ok(seed))) => (seconds, seed),
        _ => {
            eprintln!("usage: bounded SECONDS [SEED [TARGET]]");
            return ExitCode::from(2);
        }
    };
    let chosen = |name: &str| arguments.get(2).is_none_or(|only| only == name);
    let targets: Vec<_> = TARGETS
        .into_iter()
        .filter(|(name, _)| chosen(name))
        .collect();
    let each = Duration::from_secs(seconds) / targets.len().max(1) as u32;
    for (name, target) in targets {
        let corpus = corpus(name);
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

fn corpus(target: &str) -> Corpus {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target);
    let files = fs::read_dir(&folder).expect("a folder of seeds for every target");
    let mut files: Vec<_> = files
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    files.sort();
    files
        .iter()
        .map(|path| fs::read(path).expect("a readable seed"))
        .collect()
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
