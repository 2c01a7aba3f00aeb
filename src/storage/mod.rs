//! The disk: reading what is sent, staging and committing what arrives, records of our own.
//!
//! Two front doors: [`source`] (walk, read, notice changes) and [`inbox`] (stage, check, put under
//! the final name). Everything between works on folders held open, so that no name from a peer and
//! no link on the disk can lead out of the save folder. Knows no sockets, no frames, no threads.

pub mod failed_list;
pub mod inbox;
pub mod source;

mod commit;
mod conflict;
pub mod existing;
mod grouped;
pub mod groups;
mod handle;
mod hex;
mod journal;
mod mending;
mod names;
pub mod pasted;
pub mod small;
mod space;
mod staging;
mod survey;
pub mod transcripts;
mod tree;
mod walk;

pub mod record;

pub use grouped::GroupedSource;
pub use groups::GroupHash;
pub use inbox::{
    Committed, Full, Inbox, Kept, KeptReader, Rest, Room, Target, free_bytes, room, sweep,
};
pub use source::{Found, SourceFile, SourceTree, walk};
pub use survey::{Seen, Survey};
