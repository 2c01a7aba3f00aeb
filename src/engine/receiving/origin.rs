//! Where a session comes from: who is at both ends, and what an earlier one of the same transfer has left.

use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::engine::ledger::Kept;
use crate::model::{DeviceId, TransferId};
use crate::protocol::verification::SessionKey;
use crate::storage::inbox::Rest;

pub(super) struct Origin {
    pub(super) peer: DeviceId,
    ours: DeviceId,
    /// What the session keys of this channel are made of.
    secret: Zeroizing<[u8; 32]>,
    /// The transfer that this session may go on with, and nothing else.
    pub(super) goes_on: Option<TransferId>,
    /// What was picked when it was accepted.
    pub(super) picks: Option<[u8; 32]>,
    pub(super) rest: Rest,
    /// The save folder in which it began.
    pub(super) began_in: Option<PathBuf>,
    /// Because that was the save folder then.
    pub(super) by_default: bool,
}

impl Origin {
    pub(super) fn new(
        peer: DeviceId,
        ours: DeviceId,
        secret: Zeroizing<[u8; 32]>,
        kept: Option<Kept>,
    ) -> Self {
        Self {
            peer,
            ours,
            secret,
            goes_on: kept.as_ref().map(|kept| kept.transfer),
            rest: match &kept {
                Some(kept) if kept.failed > 0 => Rest::Failed,
                Some(kept) if kept.arrived => Rest::Nothing,
                Some(_) | None => Rest::Missing,
            },
            by_default: kept.as_ref().is_some_and(|kept| kept.by_default),
            began_in: kept
                .as_ref()
                .filter(|kept| kept.placed)
                .and_then(|kept| kept.places.first().cloned()),
            picks: kept.and_then(|kept| kept.picks),
        }
    }

    /// The key with which a transfer offered here can go on later.
    pub(super) fn session_key(&self, transfer: TransferId) -> SessionKey {
        SessionKey::derive(&self.secret, self.peer, self.ours, transfer)
    }
}
