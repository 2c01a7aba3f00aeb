//! Writes the seeds of all targets to `corpus`: honest inputs that lead deep, and hostile ones. What somebody
//! found and put beside them stays.

use std::fs;
use std::path::Path;

use ropeway::protocol::frame::{encode, kind};

type Corpus = Vec<Vec<u8>>;

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (target, seeds) in [
        ("frames", streams()),
        ("server_greeting", greetings()),
        ("client_greeting", greetings()),
        ("receiving", receptions()),
        ("sending", dispatches()),
        ("manifest", manifests()),
        ("names", lists_of_names()),
        ("journal", journals()),
        ("settings", settings()),
        ("known", known()),
        ("striping", stripes()),
        ("talking", talks()),
        ("transcript", transcripts()),
        ("beacon", beacons()),
    ] {
        let folder = folder.join(target);
        fs::create_dir_all(&folder).expect("a folder for seeds");
        for (number, seed) in seeds.iter().enumerate() {
            fs::write(folder.join(format!("seed-{number:02}")), seed).expect("a new seed");
        }
    }
}

/// The first byte chooses what both ends do; then: 0 what the partner said, 4 the same bent (place, bits),
/// 5 our own frame back, 6 a frame (type, length, body), 7 bytes (length, bytes).
fn greetings() -> Corpus {
    let mut corpus: Corpus = Vec::new();
    for choices in 0..16 {
        corpus.push(vec![choices, 0, 0, 0, 0]);
    }
    for choices in [0, 2] {
        // Bent at some place of each of the three frames.
        for at in [3, 4, 5, 40, 120] {
            corpus.push(vec![choices, 4, at, 1, 0, 0]);
            corpus.push(vec![choices, 0, 4, at, 1, 0]);
            corpus.push(vec![choices, 0, 0, 4, at, 1]);
        }
        // Left out, turned back, and with what may be skipped in between.
        corpus.push(vec![choices, 0, 5, 0, 5, 1, 5, 2]);
        corpus.push(vec![choices, 0, 6, 0x90, 2, 1, 2, 0, 6, 0xff, 0, 0]);
        corpus.push(vec![choices, 0, 0, 6, kind::OFFER, 2, b'{', b'}', 0]);
        // An answer of zeros, and one that is cut.
        let zeros = format!(r#"{{"proof":"{}"}}"#, "0".repeat(64));
        for body in [zeros.as_str(), "{}", &zeros[..20], &"0".repeat(64)] {
            for kind in [kind::ANSWER, kind::PROOF, kind::CHALLENGE, kind::VERIFY] {
                let head = [choices, 0, 0, 6, kind, body.len() as u8];
                corpus.push([&head[..], body.as_bytes()].concat());
            }
        }
    }
    for stranger in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        b"\xffSMB\x72\0\0\0",
        &[0; 16],
        &[0xff; 16],
        &[0, 0, 16, 1, 1],
        &[0, 0, 16, 0, 1],
    ] {
        corpus.push([&[0, 7, stranger.len() as u8], stranger].concat());
    }
    // One more connection of a transfer that runs.
    for choices in [64, 65, 68] {
        corpus.push(vec![choices, 0, 0, 0, 0]);
        corpus.push(vec![choices, 0, 4, 40, 1, 0]);
    }
    // A conversation that is opened anew.
    for choices in [128, 129, 132, 136] {
        corpus.push(vec![choices, 0, 0, 0, 0]);
        corpus.push(vec![choices, 0, 4, 40, 1, 0]);
    }
    corpus
}

/// The first byte chooses the end; then: 0 welcome, 1 no, 2 something said (step of the number), 3 a
/// receipt (which), 4 to 6 talk, welcome and no from there, 7 a message (stream, number, length), 8 a
/// receipt (which, number), 9 a frame (type, length, body).
fn talks() -> Corpus {
    let mut corpus: Corpus = vec![
        vec![1, 0, 5, 2, 0, 2, 3, 8, 1, 7, 1, 1, 5, 7, 1, 2, 5, 3, 1],
        vec![0, 4, 0, 5, 7, 0, 0, 1, 3, 0, 2, 9, 8, 0],
        vec![0, 4, 5, 1, 5],
        vec![1, 0, 6, 5],
        vec![1, 7, 1, 1, 1],
        vec![1, 0, 5, 7, 1, 2, 1, 7, 1, 1, 1],
        vec![1, 0, 5, 7, 1, 2, 254, 7, 2, 0, 255],
        vec![1, 0, 5, 8, 0, 3],
        vec![
            0,
            9,
            kind::TALK,
            2,
            b'{',
            b'}',
            9,
            kind::WELCOME,
            2,
            b'{',
            b'}',
            0,
        ],
    ];
    // Far too many, either way.
    let many = (0..=40).flat_map(|number| [7, 1, number, 1]);
    corpus.push([1, 0, 5].into_iter().chain(many).collect());
    corpus.push([1, 0, 5].into_iter().chain([2, 1].repeat(40)).collect());
    corpus
}

/// A conversation's file, line by line.
fn transcripts() -> Corpus {
    let head = r#"{"version":1}"#;
    let id = "09".repeat(16);
    let peer = r#"{"is":"peer","name":"Garden","address":"192.168.1.20:9000"}"#.to_owned();
    let said = format!(
        r#"{{"is":"said","at":1,"id":"{id}","stream":"{id}","number":1,"text":"Lunch?","delivery":"waiting"}}"#
    );
    let became = format!(r#"{{"is":"became","id":"{id}","delivery":"delivered"}}"#);
    let heard = format!(
        r#"{{"is":"heard","at":2,"id":"{id}","stream":"{id}","number":7,"text":"\u001b[31m"}}"#
    );
    let number = format!(r#"{{"is":"number","stream":"{id}","number":18446744073709551615}}"#);
    let transfer = format!(
        r#"{{"is":"transfer","at":3,"sent":true,"transfer":{{"transfer":"{id}","names":["a\nb"],"picked":1,"entries":1,"bytes":5,"failed":0,"outcome":"arrived"}}}}"#
    );
    let key = format!(
        r#"{{"is":"key","key":"{}","used":1764000000}}"#,
        id.repeat(2)
    );
    let all = [
        head,
        &peer,
        &said,
        &became,
        &heard,
        &number,
        &transfer,
        &key,
        r#"{"is":"no-key"}"#,
    ];
    let whole = all.join("\n") + "\n";
    let mut corpus: Corpus = vec![
        whole.clone().into_bytes(),
        Vec::new(),
        head.as_bytes().to_vec(),
        format!("{head}\n{said}").into_bytes(),
        format!("{head}\n{said}\ngarbage\n{became}\n").into_bytes(),
        format!("{{\"version\":2}}\n{said}\n").into_bytes(),
        b"\x00\xff\n".to_vec(),
    ];
    for cut in [20, 60, 200, 400] {
        corpus.push(whole.as_bytes()[..cut].to_vec());
    }
    corpus
}

/// Pieces of three connections: which, length, bytes.
fn stripes() -> Corpus {
    let number = |number: u64| encode(kind::NUMBER, &number.to_be_bytes());
    let data = |len: usize| encode(kind::DATA, &vec![0; 12 + len]);
    let failed = |len: usize| {
        let body = format!(
            r#"{{"entry":0,"code":"other","detail":"{}"}}"#,
            "x".repeat(len)
        );
        encode(kind::FAILED, body.as_bytes())
    };
    let piece = |which: u8, bytes: &[u8]| {
        let length = (bytes.len() as u16).to_be_bytes();
        [&[which], length.as_slice(), bytes].concat()
    };
    let said =
        |which: u8, place: u64, frame: Vec<u8>| piece(which, &[number(place), frame].concat());
    let honest = [
        piece(0, &data(5)),
        said(1, 2, data(7)),
        said(2, 1, failed(10)),
        said(0, 0, data(3)),
        piece(1, &encode(kind::PING, b"")),
        said(1, 3, encode(kind::FINISH, b"")),
        piece(0, &encode(kind::GO_ON, b"")),
    ];
    let mut corpus = vec![honest.concat()];
    for which in 0..3 {
        for place in [0, 1, 2, u64::MAX] {
            corpus.push([honest.concat(), said(which, place, data(1))].concat());
            corpus.push([said(which, place, data(1)), honest.concat()].concat());
        }
        corpus.push([said(0, 0, data(1)), piece(which, &data(1))].concat());
        corpus.push(piece(which, &[number(0), number(1), data(1)].concat()));
        corpus.push(said(which, 0, encode(kind::GO_ON, b"")));
    }
    let many = |which: u8, frame: Vec<u8>| -> Vec<u8> {
        (1..200)
            .flat_map(|place| said(which, place, frame.clone()))
            .collect()
    };
    corpus.push([many(1, failed(9)), said(0, 0, data(1))].concat());
    corpus
}

/// Steps of `receiving`: what to do, 200 for "not odd", which entry, and what it takes.
fn receptions() -> Corpus {
    const PLAIN: u8 = 200;
    let frame = |which: u8, number: u8| vec![which, PLAIN, number];
    let offer = frame(0, 0);
    // A folder, an empty file, 1,000 bytes, 65,537, 1 MiB + 1 and 2 MiB + 5, all at the top but two.
    let list = [
        vec![1, PLAIN, 0, 3, 10, 0, 0x82, 0, 4],
        vec![1, PLAIN, 0, 1, 7, 9],
    ]
    .concat();
    let end = frame(3, 0);
    let accept = vec![26; 8];
    let work = vec![20, 7];
    let data = |number: u8| vec![4, PLAIN, number, 7, 3];
    let batch = |number: u8| vec![9, PLAIN, number, 0];
    let file_end = |number: u8| frame(11, number);
    let failed = |number: u8| vec![13, PLAIN, number, 0];
    let finish = frame(15, 0);
    let begin = [
        offer.clone(),
        list.clone(),
        end.clone(),
        accept.clone(),
        work.clone(),
    ]
    .concat();
    let whole =
        |number: u8, pieces: usize| [data(number).repeat(pieces), file_end(number)].concat();
    let close = [finish.clone(), work.repeat(6), vec![25], work.clone()].concat();
    let mut corpus = Vec::new();
    for choices in 0..8 {
        let small = [batch(1), batch(2)].concat();
        let large = [whole(3, 1), whole(4, 5), work.clone(), whole(5, 9)].concat();
        corpus.push([vec![choices], begin.clone(), small, large, close.clone()].concat());
        let given_up: Vec<u8> = (1..6).flat_map(failed).collect();
        corpus.push([vec![choices], begin.clone(), given_up, close.clone()].concat());
        let early: Vec<u8> = (1..6).flat_map(|number| vec![27, number, number]).collect();
        let crossing = [data(3), early, data(3), failed(3), close.clone()].concat();
        corpus.push([vec![choices], begin.clone(), crossing].concat());
        let odd = [
            vec![4, 0, 3, 2, 3],
            vec![11, 0, 3],
            vec![3, 0, 0],
            vec![15, 0, 0],
        ]
        .concat();
        corpus.push([vec![choices], begin.clone(), odd].concat());
        let told: Vec<u8> = (2..6)
            .flat_map(|number| vec![14, PLAIN, number, 0, 1])
            .collect();
        let compared = [
            told.clone(),
            work.repeat(3),
            told,
            work.repeat(3),
            whole(5, 9),
        ]
        .concat();
        corpus.push([vec![choices], begin.clone(), compared, close.clone()].concat());
        corpus.push(
            [
                vec![choices],
                offer.clone(),
                list.clone(),
                data(1),
                batch(1),
            ]
            .concat(),
        );
        let held = [
            vec![28, 1],
            data(3),
            vec![28, 0],
            data(3),
            vec![29, 0, 1],
            data(3),
        ]
        .concat();
        corpus.push([vec![choices], begin.clone(), held].concat());
    }
    corpus
}

/// Steps of `sending`.
fn dispatches() -> Corpus {
    const PLAIN: u8 = 200;
    // A folder, an empty file, 1,000 bytes, 65,537, 1 MiB + 1 and 2 MiB + 5.
    let list = [
        [0, 10].as_slice(),
        &[0, 0, 0],
        &[0, 2, 0],
        &[0, 4, 0],
        &[0, 7, 0],
        &[0, 9, 0],
        &[5],
    ];
    let list = list.concat();
    let frame = |which: u8, number: u8, rest: &[u8]| [&[which, PLAIN, number, 0], rest].concat();
    let accept = frame(6, 0, &[0]);
    let more = frame(8, 0, &[1, 0]);
    // Planned and done, eight halves at a time; none fails.
    let work = vec![[19, 7].as_slice(), &[0; 8]].concat();
    let arrived: Vec<u8> = (0..6)
        .flat_map(|number| frame(9, number, &[0, 1]))
        .collect();
    let close = [arrived.clone(), frame(16, 0, &[]), frame(17, 0, &[7])].concat();
    let compare: Vec<u8> = (2..6).flat_map(|number| frame(13, number, &[2])).collect();
    let want: Vec<u8> = (2..6).flat_map(|number| frame(14, number, &[5])).collect();
    let kept = [
        frame(15, 1, &[0, 1]),
        frame(15, 4, &[0, 0]),
        frame(15, 5, &[1, 0]),
    ]
    .concat();
    let groups = [
        frame(12, 4, &[0]),
        frame(12, 5, &[1]),
        vec![27, 1, 27, 0, 1],
    ]
    .concat();
    let early: Vec<u8> = (1..6)
        .flat_map(|number| frame(9, number, &[1, 1]))
        .collect();
    let mut corpus = Vec::new();
    for choices in 0..2 {
        let begin = [vec![choices], list.clone()].concat();
        let all = [
            accept.clone(),
            work.repeat(8),
            more.clone(),
            work.repeat(4),
            close.clone(),
        ];
        corpus.push([begin.clone(), all.concat()].concat());
        let asked = [
            accept.clone(),
            compare.clone(),
            work.repeat(4),
            want.clone(),
            work.repeat(8),
        ];
        corpus.push([begin.clone(), asked.concat(), close.clone()].concat());
        let going_on = [
            work.clone(),
            kept.clone(),
            accept.clone(),
            work.clone(),
            groups.clone(),
            work.repeat(8),
        ];
        corpus.push([begin.clone(), going_on.concat(), close.clone()].concat());
        let crossing = [
            accept.clone(),
            work.repeat(2),
            early.clone(),
            work.repeat(4),
            close.clone(),
        ];
        corpus.push([begin.clone(), crossing.concat()].concat());
        let held = [
            accept.clone(),
            vec![29, 1],
            work.clone(),
            vec![29, 0],
            work.clone(),
            frame(17, 0, &[2]),
            work.clone(),
            frame(17, 0, &[4]),
            work.repeat(6),
        ];
        corpus.push([begin.clone(), held.concat(), close.clone()].concat());
        for odd in 6..=18 {
            corpus.push(
                [
                    begin.clone(),
                    accept.clone(),
                    vec![odd, 0, 1, 0, 0, 0],
                    work.clone(),
                ]
                .concat(),
            );
        }
    }
    corpus
}

fn manifests() -> Corpus {
    let entry = |inner: &str| format!(r#"{{"entries":[{inner}]}}"#).into_bytes();
    let mut corpus = vec![
        entry(
            r#"{"name":"Holiday","modified":[1764000000,0]},{"parent":0,"name":"a.jpg","size":2147483,"modified":[-1,999999999],"executable":true}"#,
        ),
        entry(r#"{"name":"a","size":9223372036854775807},{"name":"b","size":1}"#),
        entry(r#"{"parent":0,"name":"a"}"#),
        entry(r#"{"name":"a","size":1},{"parent":0,"name":"b","size":1}"#),
        entry(r#"{"name":"\u202egpj.exe","size":1},{"name":"\ud800","size":1}"#),
        entry(r#"{"name":"a","name":"b"}"#),
        entry(r#"{"name":"a","size":1,"other":[[[[{}]]]]}"#),
        entry(""),
        b"{\"entries\":[{\"name\":\"\xff\"}]}".to_vec(),
        b"[".repeat(2000),
    ];
    for size in [
        "-1",
        "1.5",
        "1e400",
        "18446744073709551615",
        "18446744073709551616",
        "null",
    ] {
        corpus.push(entry(&format!(r#"{{"name":"a","size":{size}}}"#)));
    }
    for name in [
        "..", ".", "", "a/b", "a\\\\b", "C:x", "\\u0000", "-rf", "con", "a b",
    ] {
        corpus.push(entry(&format!(r#"{{"name":"{name}","size":0}}"#)));
    }
    let deep: Vec<_> = (0..130_u32)
        .map(|n| match n.checked_sub(1) {
            None => r#"{"name":"d"}"#.to_owned(),
            Some(parent) => format!(r#"{{"parent":{parent},"name":"d"}}"#),
        })
        .collect();
    corpus.push(entry(&deep.join(",")));
    corpus
}

fn known() -> Corpus {
    let (id, other, key) = ("0a".repeat(32), "0b".repeat(32), "0c".repeat(32));
    let paired = format!(
        r#"{{"id":"{id}","name":"Garden","bond":"paired","rule":"ask","key":"{key}","met":1764000000,"address":"192.168.1.20:9000"}}"#
    );
    let blocked = format!(r#"{{"id":"{other}","name":"Thief","bond":"blocked"}}"#);
    let of = |entries: &str| format!(r#"{{"version":1,"devices":[{entries}]}}"#);
    let whole = of(&format!("{paired},{blocked}"));
    [
        whole.clone(),
        of(""),
        of(&format!("{blocked},{}", paired.replace(&id, &other))),
        of(&paired.replace("paired", "friend")),
        of(&paired.replace(&key, "0c")),
        of(&paired.replace(r#""ask""#, r#"{"accept":{"folder":"/tmp","max_bytes":-1}}"#)),
        of(&paired.replace("Garden", r"\u001b[31m\u202e")),
        of(&paired.replace("1764000000", "18446744073709551615")),
        of("7,null,[],{}"),
        whole.replace(r#""version":1"#, r#""version":2"#),
        whole[..whole.len() / 2].to_owned(),
        String::new(),
    ]
    .map(String::into_bytes)
    .to_vec()
}

fn settings() -> Corpus {
    let all = r#"{"version":1,"name":"Study PC","save_folder":"/tmp/x","port":9000,"receive_on":true,"speed_limit":1,"at_once":3,"on_conflict":"rename","theme":"dark","language":"chinese"}"#;
    [
        all,
        r#"{"version":1}"#,
        r#"{"version":2,"name":[]}"#,
        r#"{"version":4294967295}"#,
        r#"{"version":4294967296}"#,
        r#"{"version":1,"port":65536}"#,
        r#"{"version":1,"at_once":0,"speed_limit":18446744073709551615}"#,
        r#"{"version":1,"name":"\u0000\u202e\n"}"#,
        r#"{"version":1,"version":2}"#,
        r#"{"version":1,"theme":"pink"}"#,
        &all[..60],
        "",
        "null",
        "[]",
        "{}",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
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
            [batch.clone(), data(0, 100), cancel.clone()].concat(),
            [
                batch.clone(),
                data(1 << 20, 1),
                data(0, 100),
                data(100, 100),
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
            [data(0, 100), failed(2), batch.clone(), finish.clone()].concat(),
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

/// Two bytes for a length, two for where from and how long after, then a datagram.
fn beacons() -> Corpus {
    use ropeway::discovery::beacon::{Announcement, Beacon, Instance};
    use ropeway::model::{DeviceId, DeviceName, System};
    let framed = |from: u8, wait: u8, bytes: &[u8]| {
        let length = (bytes.len() as u16).to_be_bytes();
        [&[length[0], length[1], from, wait], bytes].concat()
    };
    let announce = |device: u8, name: &str, port| {
        let said = Announcement {
            device: DeviceId([device; 32]),
            instance: Instance([device; 8]),
            name: DeviceName::cleaned(name, "x"),
            system: System::Linux,
            port,
            call: None,
        };
        Beacon::Announce(said).to_bytes()
    };
    let goodbye = Beacon::Goodbye(DeviceId([1; 32]), Instance([1; 8])).to_bytes();
    let query = Beacon::Query(Instance([1; 8])).to_bytes();
    let one = announce(1, "Study PC", Some(9000));
    let mut later = announce(2, "\u{4e66}\u{623f}", None);
    later.extend([200, 2, 0, 0, 0, 1, 0]);
    vec![
        framed(1, 0, &one),
        framed(1, 0, &later),
        framed(1, 0, &query),
        [framed(1, 0, &one), framed(2, 9, &one), framed(1, 9, &goodbye)].concat(),
        [framed(1, 0, &one), framed(1, 255, &later), framed(3, 255, &one)].concat(),
        framed(1, 0, &announce(0xee, "ourselves", Some(1))),
        framed(1, 0, &one[..one.len() - 1]),
        (1..40).flat_map(|n| framed(n, 1, &announce(n, &"x".repeat(64), Some(9)))).collect(),
    ]
}
