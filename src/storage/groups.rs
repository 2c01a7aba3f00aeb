//! BLAKE3 in groups of [`GROUP_BYTES`]: a file's hash, made from the hashes of its parts.
//!
//! A group is a subtree of BLAKE3's tree (section 2.1 of the BLAKE3 paper: the left subtree of `n`
//! chunks holds the largest power of two below `n`), so group hashes merge to the very value that
//! `b3sum` prints. A file of a single group has no subtrees; it is hashed as a whole instead.

use blake3::hazmat::{HasherExt as _, Mode, merge_subtrees_non_root, merge_subtrees_root};

use crate::model::GROUP_BYTES;

/// Chaining value of a group's subtree.
pub type GroupHash = [u8; 32];

/// Groups of a file of this length, the last one perhaps shorter.
pub fn group_count(len_bytes: u64) -> usize {
    usize::try_from(len_bytes.div_ceil(GROUP_BYTES)).unwrap_or(usize::MAX)
}

/// Hashes one group, from its first byte to its last.
#[derive(Debug)]
pub struct GroupHasher(Box<blake3::Hasher>);

impl GroupHasher {
    pub fn new(group: u64) -> Self {
        let mut hasher = Box::<blake3::Hasher>::default();
        hasher.set_input_offset(group * GROUP_BYTES);
        Self(hasher)
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub fn finish(self) -> GroupHash {
        self.0.finalize_non_root()
    }
}

/// The hash of a file of two groups or more.
///
/// # Panics
/// With fewer than two groups, which have no tree.
pub fn merge(groups: &[GroupHash]) -> [u8; 32] {
    let (left, right) = halves(groups);
    merge_subtrees_root(&subtree(left), &subtree(right), Mode::Hash).into()
}

fn subtree(groups: &[GroupHash]) -> GroupHash {
    match groups {
        [only] => *only,
        several => {
            let (left, right) = halves(several);
            merge_subtrees_non_root(&subtree(left), &subtree(right), Mode::Hash)
        }
    }
}

fn halves(groups: &[GroupHash]) -> (&[GroupHash], &[GroupHash]) {
    assert!(groups.len() >= 2, "a tree has two sides");
    groups.split_at(groups.len().next_power_of_two() / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_merge_to_the_hash_of_the_whole() {
        let group = GROUP_BYTES as usize;
        let content: Vec<u8> = (0..9 * group + 5).map(|n| (n * 31 % 251) as u8).collect();
        for len in [
            group + 1,
            2 * group,
            2 * group + 1,
            3 * group - 1,
            5 * group,
            8 * group,
            9 * group + 5,
        ] {
            let content = &content[..len];
            let hashes: Vec<_> = content
                .chunks(group)
                .enumerate()
                .map(|(number, bytes)| {
                    let mut hasher = GroupHasher::new(number as u64);
                    bytes.chunks(100_000).for_each(|bytes| hasher.update(bytes));
                    hasher.finish()
                })
                .collect();
            assert_eq!(hashes.len(), group_count(len as u64));
            assert_eq!(merge(&hashes), *blake3::hash(content).as_bytes(), "{len}");
        }
    }
}
