//! Every limit on who may enter and on what a peer may hold, each with its reason.
//!
//! What one connection may *say* is bounded where it is read, below the engine: bytes before
//! verification in `channel::stream`, lengths in `protocol::frame`, entries, names and sizes in
//! `model::entry`, credit in `protocol::receiver`. PROTOCOL.md has what a peer has to know of them, SECURITY.md what they are for.

use std::net::IpAddr;
use std::sync::LazyLock;
use std::time::Duration;

// Before verification.

/// Connections that have not proven themselves. Each costs a thread and two descriptors, no more.
pub const STRANGERS: usize = 64;
/// When all places are taken: of one neighbourhood, that have no challenge yet. Some people behind one address, not a
/// crowd.
pub const STRANGERS_NEAR: usize = 8;
/// Of one neighbourhood, that are to answer a challenge: as many as answer in the time that is spared them.
pub const ANSWERS_NEAR: usize = 24;
/// A stranger has so long from connecting to being verified, however it spends it.
pub const SERVER_DEADLINE: Duration = Duration::from_secs(5);
/// The client waits a little longer than the server may take.
pub const CLIENT_DEADLINE: Duration = Duration::from_secs(8);
/// Of those who were turned away, threads that have not ended yet: one that computes is not woken by that.
pub const LEAVING: usize = 64;
/// Of those, from one neighbourhood: half, so that a crowd there does not keep out everybody.
pub const LEAVING_NEAR: usize = 32;
/// Whoever is turned away for others learns it so much later, and then comes back: a crowd that comes
/// back at once leaves an honest client at its side time enough.
pub const TURNED_AWAY_FOR: Duration = Duration::from_secs(1);
/// Of those, at most; the longest there goes first. Each costs a descriptor, nothing else, and is let
/// go at once when those run out. More than one program opens by itself: whoever has more sockets than
/// this comes back at any rate, which then keeps out others of its own neighbourhood alone.
pub const TURNED_AWAY: usize = 1024;
/// Connections that are accepted and not looked at yet. Each costs a descriptor; the rest waits with the
/// system.
pub const ACCEPTED: usize = 64;
/// Connections that the system may keep ready for us: more than a crowd opens between two looks, since
/// for whoever finds no place there the next try is a second later.
pub const BACKLOG: i32 = 1024;
/// Without descriptors left, accept fails at once; the next try waits so long.
pub const REST_AFTER_ERROR: Duration = Duration::from_millis(100);

// Guessing.

/// A code is read aloud and typed at once; later it is only a risk.
pub const CODE_LIFE: Duration = Duration::from_secs(600);
/// Somebody may be typing the old code when its time is over.
pub const CODE_GRACE: Duration = Duration::from_secs(30);
/// Enough for a slip of the finger.
pub const CODE_TRIES: u32 = 3;
/// Wrong tries at all codes of this device together, whoever makes them: ten in a million. Then code
/// entry rests until a person wants a new code.
pub const CODE_GUESSES: u32 = 10;
/// Of those, from one neighbourhood: half, so that one alone does not bring the rest about.
pub const CODE_GUESSES_NEAR: u32 = 5;
/// Wrong tries at a passphrase. Many clients may prove it at the same moment, and of eight
/// characters or more it bears more guesses.
pub const PASSPHRASE_GUESSES: u32 = 256;
/// Of those, from one neighbourhood.
pub const PASSPHRASE_GUESSES_NEAR: u32 = 32;
/// How soon one guess comes back: slowly enough that a year of them does not find a passphrase.
pub const GUESS_BACK_EVERY: Duration = Duration::from_secs(60);
/// Neighbourhoods whose guesses are counted apart. Forgetting one helps nobody against the guesses
/// that all share.
pub const NEIGHBOURHOODS: usize = 1024;

// After verification.

/// Connections that show symbols and wait for people: as many as a person can compare.
pub const ASKING: usize = 8;
/// Of those, from one neighbourhood: one, and another one by mistake.
pub const ASKING_NEAR: usize = 2;
/// Times that somebody may ask and is not accepted, one back a minute: nobody sees an ask before its
/// offer, so somebody between two people could otherwise look for symbols that look alike.
pub const ASKS: u32 = 32;
/// Of those, from one neighbourhood.
pub const ASKS_NEAR: u32 = 8;
/// Verified clients at once; each costs three threads and up to a window (8 MiB, or 24 with attached
/// connections) of memory.
pub const CLIENTS: usize = 256;
/// Of those, of one device: it has many transfers side by side, and leaves room for other devices.
pub const CLIENTS_OF_DEVICE: usize = 64;
/// Transfers that are granted more at a time while others wait for it: a processor each, and one more for when one of them
/// is between two files. What more have on the way falls out of the processors' caches.
pub fn turns() -> usize {
    // Asked for once: the answer is in some files of the kernel's.
    static TURNS: LazyLock<usize> = LazyLock::new(|| {
        let processors = std::thread::available_parallelism();
        processors.map_or(2, std::num::NonZero::get) + 1
    });
    *TURNS
}
/// Whoever has not used what it was granted by then lets others have theirs beside it.
pub const TURN_FOR: Duration = Duration::from_millis(100);
/// Connections of one transfer: on a path that loses packets eight streams reach what one cannot, and
/// more would only push others aside.
pub const CONNECTIONS_OF_TRANSFER: usize = 8;
/// Attached connections at once, of all transfers; each costs two threads and four descriptors. Who
/// gets no place goes on with the connections it has.
pub const ATTACHED: usize = 64;
/// Of those, of one device: as many as four transfers take.
pub const ATTACHED_OF_DEVICE: usize = 28;
/// Offers that wait for an answer: more than a person goes through.
pub const OFFERS: usize = 32;
/// Of those, of one device.
pub const OFFERS_OF_DEVICE: usize = 8;
/// Who asks and is not accepted by then gives its place to others: two people have looked at their
/// screens by then, or will not.
pub const ASKING_WITHIN: Duration = Duration::from_secs(600);
/// Who has proven itself and then offers nothing is holding a place.
pub const OFFER_WITHIN: Duration = Duration::from_secs(20);

// Conversations. How much one connection may say at once stands in `protocol::talking`.

/// Connections of one device that carry a conversation: both ends may open one at the same moment.
pub const TALKS_OF_DEVICE: usize = 2;
/// Nothing was said for so long: the connection is closed, and opened again when something is.
pub const RESTS_AFTER: Duration = Duration::from_secs(300);
/// Somebody types less than a message a second, and pastes some dozen lines; a program that says more
/// is read this slowly.
pub const MESSAGES_A_SECOND: u32 = 30;
/// That many come at once before it is: everything that waited while the device was away, nearly.
pub const MESSAGES_AT_ONCE: u32 = 120;
/// Messages to one device that wait for it: a long evening's, not a log file's.
pub const WAITING_MESSAGES: usize = 200;
/// Devices with whom conversations are kept.
pub const CONVERSATIONS: usize = 64;
/// A conversation can be opened anew without a code for so long after it was used last; as long as a
/// transfer can go on.
pub const CONVERSATION_KEY_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);
/// Before a device that is away is tried again; then twice as long each time.
pub const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// Up to here: who comes back is met within a minute, or at once if it is seen to appear.
pub const TRY_AGAIN_AT_LATEST: Duration = Duration::from_secs(60);

/// Addresses that one subscriber has are as good as one: an IPv6 network of 64 bits.
pub fn neighbourhood(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.into(),
        IpAddr::V6(ip) => IpAddr::V6((u128::from(ip) & !u128::from(u64::MAX)).into()),
    }
}
