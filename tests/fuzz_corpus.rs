//! What the fuzz targets found, and what they start from, holds in every build: tests/fuzz/README.md.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

#[path = "fuzz/src/lib.rs"]
mod targets;

#[test]
fn every_input_of_the_fuzz_corpus_still_holds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let mut failed = Vec::new();
    for (name, target) in targets::TARGETS {
        let files = fs::read_dir(corpus.join(name)).expect("every target has seeds");
        let mut replayed = 0;
        for file in files {
            let path = file.expect("a readable folder").path();
            let input = fs::read(&path).expect("a readable seed");
            if catch_unwind(|| target(&input)).is_err() {
                failed.push(path);
            }
            replayed += 1;
        }
        assert!(replayed >= 5, "{name} has only {replayed} inputs");
    }
    assert!(failed.is_empty(), "{failed:?}");
}
