//! Tells the program which version it is: that of the package and, where it is known, the commit.
//!
//! Looked up again only when the program is built anew anyway: a commit that leaves the program as it is
//! leaves its version as it is, too, and costs no build.

use std::fs;
use std::path::Path;
use std::process::Command;

/// What the program is made of.
const SOURCES: &[&str] = &["src", "assets", "build.rs", "Cargo.toml", "Cargo.lock"];
/// `git archive` puts the commit here (.gitattributes).
const ARCHIVED: &str = "$Format:%h$";
/// What cargo puts into a package.
const PACKAGED: &str = ".cargo_vcs_info.json";
const SHORT: usize = 7;

fn main() {
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
    }
    let version = env!("CARGO_PKG_VERSION");
    let known = archived().or_else(packaged).or_else(worked_on);
    let version = known.map_or_else(
        || version.to_owned(),
        |commit| format!("{version} ({commit})"),
    );
    println!("cargo::rustc-env=ROPEWAY_VERSION={version}");
}

fn archived() -> Option<String> {
    let commit = ARCHIVED.chars().all(|c| c.is_ascii_hexdigit());
    commit.then(|| ARCHIVED.to_owned())
}

fn packaged() -> Option<String> {
    let told = fs::read_to_string(PACKAGED).ok()?;
    let (_, hash) = told.split_once("\"sha1\": \"")?;
    let commit = hash.get(..SHORT)?;
    let is_hash = commit.chars().all(|c| c.is_ascii_hexdigit());
    is_hash.then(|| commit.to_owned())
}

/// The last commit that changed the program, in a clone of its repository, not in one around it.
fn worked_on() -> Option<String> {
    if !Path::new(".git").exists() {
        return None;
    }
    let commit = git(&["log", "-1", "--format=%h"])?;
    let changed = git(&["status", "--porcelain"])?;
    match (commit.is_empty(), changed.is_empty()) {
        (true, _) => None,
        (false, true) => Some(commit),
        (false, false) => Some(format!("{commit}, changed")),
    }
}

fn git(arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    command.args(arguments).arg("--").args(SOURCES);
    // Looking must not write to the repository.
    let output = command.env("GIT_OPTIONAL_LOCKS", "0").output().ok()?;
    let told = output.status.success().then_some(output.stdout)?;
    Some(String::from_utf8(told).ok()?.trim().to_owned())
}
