//! The parts of the window. Each draws from the view and says what the person wants; none acts.

pub mod callers;
pub mod closing;
pub mod confirm;
pub mod destination;
pub mod devices;
pub mod doctor;
pub mod empty;
pub mod failures;
mod hands;
pub mod header;
pub mod help;
pub mod known;
pub mod modals;
pub mod notice;
pub mod offers;
mod picks;
pub mod receive;
pub mod send;
pub mod settings;
pub mod talks;
pub mod transfers;
pub mod wire;

use std::path::PathBuf;

use crate::engine::{Answer, Command};
use crate::gui::texts::Texts;
use crate::gui::view::Notice;
use crate::gui::view::draft::Missed;
use crate::model::{
    Allow, DeviceId, FailedLine, OnConflict, Peer, PeerAddress, Presence, TransferId,
};
use crate::settings::{Language, OnClose, Theme};

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
    /// Without a code: the two people compare symbols.
    AskNow,
    /// The symbols of a transfer to be sent are the same on the other screen, or not.
    Confirm(TransferId, bool),
    /// Another key answered for a device that was chosen, because it was reinstalled.
    PairAgain(Missed),
    SwitchOn,
    SwitchOff,
    Answer(TransferId, Answer),
    /// Declines, and never lets its device in again.
    Block(TransferId, Peer),
    Unblock(DeviceId),
    /// A device wants to be remembered.
    AnswerWish(DeviceId, bool),
    SetAllow(Allow),
    PickRuleFolder(DeviceId),
    /// Another folder for one offer.
    PickOtherFolder(TransferId),
    PickOfferFolder(TransferId),
    SetOnConflict(OnConflict),
    SendAgain(TransferId),
    /// What arrived goes back to where it came from: it is picked, and its device chosen.
    SendBack(TransferId),
    /// Conversations, with nobody in sight or with one device.
    OpenTalks,
    ShowTalk(Option<DeviceId>),
    ShowTransfers,
    /// To the device that is chosen to be sent to.
    WriteText,
    /// What is typed goes to it; `true`: to be let in, symbols are compared.
    Say(DeviceId, bool),
    /// What has not arrived, once more.
    SayAgain(DeviceId, String),
    PickForTalk(DeviceId),
    PastePicture(DeviceId),
    ClearTalk(DeviceId),
    AnswerText(DeviceId, bool),
    /// Declines, and never lets its device in again.
    BlockText(Peer),
    OpenUrl(String),
    ClearFinished,
    /// Nothing of it is to be kept.
    Delete(TransferId),
    ToggleDetails(TransferId),
    /// Narrows a list of failures.
    Filter(TransferId, String),
    /// Asks where, then writes it there.
    SaveList(Vec<FailedLine>),
    OpenSettings,
    /// The settings, where the known devices are.
    OpenKnown,
    /// The settings, where the port is.
    OpenNetwork,
    /// The connection doctor, and what it is to find out: why a device is not reached, or how this
    /// computer is.
    OpenDoctor(Option<PeerAddress>),
    Diagnose(Option<PeerAddress>),
    /// What somebody who helps wants to know, into the clipboard.
    CopyReport,
    /// The keys, and where else help is.
    OpenHelp,
    /// The end of the program; asked about first if something runs.
    Quit,
    SetOnClose(OnClose),
    SetNotify(bool),
    /// In percent of the usual size of text.
    SetZoom(u16),
    Rename(String),
    SetPort(u16),
    LimitSpeed(TransferId, Option<u64>),
    /// Bytes a second; 0 for none.
    SetSpeedLimit(u64),
    SetAtOnce(u32),
    SetPresence(Presence),
    KeepConversations(bool),
    SetTheme(Theme),
    SetLanguage(Language),
    SetSaveFolder(PathBuf),
    ResetSettings,
    Dismiss(Notice),
    /// The wire panel, from now on.
    ShowWire(bool),
    /// The frames of one connection, or of none.
    OpenWire(Option<u64>),
    /// It has been brought into sight.
    WireRevealed,
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
