//! The parts of the window. Each draws from the view and says what the person wants; none acts.

pub mod failures;
pub mod header;
pub mod modals;
pub mod offers;
pub mod receive;
pub mod send;
pub mod settings;
pub mod transfers;

use std::path::PathBuf;

use crate::engine::{Answer, Command};
use crate::gui::texts::Texts;
use crate::model::{FailedLine, OnConflict, TransferId};
use crate::settings::{Language, Theme};

/// What a person asked for by a click or a key.
#[derive(Debug)]
pub enum Want {
    PickFiles,
    PickFolder,
    PickSaveFolder,
    Add(PathBuf),
    Remove(usize),
    ClearPicks,
    SendNow,
    SwitchOn,
    SwitchOff,
    Answer(TransferId, Answer),
    /// Another folder for one offer.
    PickOtherFolder(TransferId),
    PickOfferFolder(TransferId),
    SetOnConflict(OnConflict),
    SendAgain(TransferId),
    ClearFinished,
    /// Nothing of it is to be kept.
    Delete(TransferId),
    ToggleDetails(TransferId),
    /// Narrows a list of failures.
    Filter(TransferId, String),
    /// Asks where, then writes it there.
    SaveList(Vec<FailedLine>),
    OpenSettings,
    Rename(String),
    SetPort(u16),
    LimitSpeed(TransferId, Option<u64>),
    /// Bytes a second; 0 for none.
    SetSpeedLimit(u64),
    SetAtOnce(u32),
    SetTheme(Theme),
    SetLanguage(Language),
    SetSaveFolder(PathBuf),
    DismissNotice,
    Copy(String),
    /// Straight to the engine.
    Engine(Command),
}

/// What every panel gets.
pub struct Scope<'a> {
    pub texts: &'static Texts,
    pub wants: &'a mut Vec<Want>,
}

impl Scope<'_> {
    pub fn want(&mut self, want: Want) {
        self.wants.push(want);
    }
}
