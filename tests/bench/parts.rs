//! The parts of the road one byte takes, each alone: `cargo bench --bench parts`.
//!
//! What they give together is measured from outside by `run.py`; these tell which part changed.

// A bench that cannot set itself up has nothing to measure.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::hint::black_box;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use ropeway::channel::{Channel, Identity, Received};
use ropeway::model::{Entry, EntryKey, EntryKind, GROUP_BYTES, SafeName, TransferId};
use ropeway::protocol::bulk::{BatchFrame, CHUNK_BYTES, DataFrame};
use ropeway::protocol::{Buffers, Decoder, Frame, Limit};
use ropeway::storage::groups::GroupHasher;
use ropeway::storage::{Inbox, SourceFile, Target};
use tempfile::TempDir;

const MIB: usize = 1 << 20;
/// As the channel reads from the socket.
const PIECE_BYTES: usize = 128 << 10;

/// In memory where there is such a folder: a disk is not what is measured.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

fn noise(bytes: usize) -> Vec<u8> {
    let mut noise = vec![0; bytes];
    blake3::Hasher::new().finalize_xof().fill(&mut noise);
    noise
}

/// Gives all frames of a stream to the decoder, piece by piece.
fn decode(decoder: &mut Decoder, buffers: &Buffers, stream: &[u8]) {
    for mut piece in stream.chunks(PIECE_BYTES) {
        while let Some(raw) = decoder.feed(&mut piece, Limit::Session).unwrap() {
            let frame = Frame::parse(raw).unwrap().unwrap();
            match black_box(frame) {
                Frame::Data(data) => buffers.give_back(data.into_buffer()),
                Frame::Batch(batch) => buffers.give_back(batch.into_buffer()),
                _other => {}
            }
        }
    }
}

fn codec(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("codec");
    group.throughput(Throughput::Bytes(CHUNK_BYTES as u64));
    let buffers = Buffers::new(4);
    group.bench_function("data frame built and sealed", |bencher| {
        bencher.iter(|| {
            let frame = DataFrame::new(buffers.take(CHUNK_BYTES), CHUNK_BYTES);
            buffers.give_back(black_box(frame.seal(7, 1 << 33)));
        });
    });
    let data = DataFrame::new(Vec::new(), CHUNK_BYTES).seal(7, 1 << 33);
    let mut decoder = Decoder::new(buffers.clone());
    group.bench_function("data frame cut out and parsed", |bencher| {
        bencher.iter(|| decode(&mut decoder, &buffers, &data));
    });
    let batch = batch_of(CHUNK_BYTES / 1024, &noise(1024));
    group.bench_function("batch of 1 KiB files cut out and parsed", |bencher| {
        bencher.iter(|| decode(&mut decoder, &buffers, &batch));
    });
    group.finish();
}

fn batch_of(files: usize, content: &[u8]) -> Vec<u8> {
    let mut frame = BatchFrame::new(Vec::new());
    for number in 0..files {
        let read = |buffer: &mut [u8]| {
            buffer.copy_from_slice(content);
            Ok::<_, std::convert::Infallible>(*blake3::hash(content).as_bytes())
        };
        let Ok(()) = frame.add(number as u32, content.len() as u32, read);
    }
    frame.seal()
}

/// Two ends over loopback in one process; what is written here is read by a thread.
fn channel(criterion: &mut Criterion) {
    const ROUND_BYTES: usize = 32 * MIB;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    let soon = Instant::now() + Duration::from_secs(10);
    let (read, rounds) = mpsc::channel();
    let reading = thread::spawn(move || {
        let mut end = Channel::accept(server, &Identity::generate().unwrap(), soon).unwrap();
        end.established(Duration::from_secs(60), || {}).unwrap();
        let (mut plaintext, mut count) = (Vec::new(), 0);
        while let Ok(Received::Bytes(more)) = {
            plaintext.clear();
            end.reader.read(|piece| plaintext.extend_from_slice(piece))
        } {
            count += more;
            while count >= ROUND_BYTES {
                count -= ROUND_BYTES;
                read.send(()).unwrap();
            }
        }
    });
    let mut end = Channel::connect(client, &Identity::generate().unwrap(), soon).unwrap();
    end.established(Duration::from_secs(60), || {}).unwrap();
    let frame = noise(CHUNK_BYTES);
    let mut group = criterion.benchmark_group("channel");
    group.sample_size(10);
    group.throughput(Throughput::Bytes(ROUND_BYTES as u64));
    group.bench_function("encrypted, carried, decrypted", |bencher| {
        bencher.iter(|| {
            for _ in 0..ROUND_BYTES / CHUNK_BYTES {
                end.writer.write(&frame).unwrap();
            }
            rounds.recv().unwrap();
        });
    });
    group.finish();
    end.writer.close().unwrap();
    reading.join().unwrap();
}

fn hashing(criterion: &mut Criterion) {
    const FILE_BYTES: usize = 64 * MIB;
    let folder = folder();
    let path = folder.path().join("source");
    fs::write(&path, noise(FILE_BYTES)).unwrap();
    let mut group = criterion.benchmark_group("hashing");
    group.sample_size(20);
    group.throughput(Throughput::Bytes(FILE_BYTES as u64));
    group.bench_function("file read in chunks and hashed", |bencher| {
        let mut chunk = vec![0; CHUNK_BYTES];
        bencher.iter(|| {
            let mut file = SourceFile::open(&path, FILE_BYTES as u64, None).unwrap();
            for _ in 0..FILE_BYTES / CHUNK_BYTES {
                file.read_exact(&mut chunk).unwrap();
            }
            black_box(file.finish().unwrap())
        });
    });
    let bytes = noise(GROUP_BYTES as usize);
    group.throughput(Throughput::Bytes(GROUP_BYTES));
    group.bench_function("group hashed as a subtree", |bencher| {
        bencher.iter(|| {
            let mut hasher = GroupHasher::new(1);
            bytes
                .chunks(CHUNK_BYTES)
                .for_each(|chunk| hasher.update(chunk));
            black_box(hasher.finish())
        });
    });
    group.finish();
}

/// A save folder of its own, and as many entries as a batch or two would bring.
struct Arriving {
    _folder: TempDir,
    inbox: Inbox,
    entries: Vec<Entry>,
}

impl Arriving {
    fn new(files: usize, len_bytes: u64) -> Self {
        let folder = folder();
        let save: PathBuf = folder.path().join("save");
        let inbox = Inbox::create(&save, TransferId([0xbe; 16])).unwrap();
        let entry = |number| Entry {
            parent: None,
            name: SafeName::try_from(format!("file {number:05}.dat").as_str()).unwrap(),
            kind: EntryKind::File {
                len_bytes,
                executable: false,
            },
            modified: None,
        };
        Self {
            _folder: folder,
            inbox,
            entries: (0..files).map(entry).collect(),
        }
    }

    fn take_all(&mut self, content: &[u8], hash: [u8; 32]) -> usize {
        for (number, entry) in self.entries.iter().enumerate() {
            let number = number as u32;
            let mut key = [0; 16];
            key[..4].copy_from_slice(&number.to_be_bytes());
            let target = Target {
                number,
                key: EntryKey(key),
                entry,
            };
            self.inbox.whole(target, content, hash).unwrap();
        }
        self.inbox.commit().len()
    }
}

fn small_files(criterion: &mut Criterion) {
    const FILES: usize = 256;
    let content = noise(4096);
    let hash = *blake3::hash(&content).as_bytes();
    let mut group = criterion.benchmark_group("small files");
    group.sample_size(20);
    group.throughput(Throughput::Elements(FILES as u64));
    group.bench_function("4 KiB each staged, checked, committed", |bencher| {
        bencher.iter_batched_ref(
            || Arriving::new(FILES, content.len() as u64),
            |arriving| assert_eq!(arriving.take_all(&content, hash), FILES),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group! {
    name = parts;
    config = Criterion::default().without_plots().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = codec, channel, hashing, small_files
}
criterion_main!(parts);
