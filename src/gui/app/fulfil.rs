//! What happens when a person wants something: a command, or a change of what is shown.

use std::path::{Path, PathBuf};

use egui::Context;

use super::{App, ModalState};
use crate::engine::{
    AcceptPolicy, Answer, Bind, Command, Event, ListenOptions, SendRequest, StopMode,
    new_transfer_id,
};
use crate::gui::dialogs::Kind;
use crate::gui::panels::Want;
use crate::gui::panels::destination::{Ready, ready};
use crate::gui::panels::doctor::DoctorDialog;
use crate::gui::panels::settings::SettingsDialog;
use crate::gui::texts::texts;
use crate::gui::view::{Entry, Notice, Server};
use crate::model::{Bond, DeviceId, Peer, PeerAddress, Rule, TransferId};

impl App {
    pub(super) fn fulfil(&mut self, want: Want, context: &Context, frame: Option<&eframe::Frame>) {
        match want {
            // A second dialog is not shown, and that is no loss.
            Want::PickFiles => _ = self.dialog(Kind::Files, context, frame),
            Want::PickFolder => _ = self.dialog(Kind::Folder, context, frame),
            Want::PickSaveFolder => _ = self.dialog(Kind::SaveFolder, context, frame),
            Want::Add(path) => self.add(path),
            Want::Remove(index) => {
                if index < self.view.draft.picks.len() {
                    self.view.draft.picks.remove(index);
                }
            }
            Want::ClearPicks => self.view.draft.picks.clear(),
            Want::SendNow => self.send_now(false),
            Want::AskNow => self.send_now(true),
            Want::SwitchOn => self.switch_on(),
            Want::SwitchOff => self.switch_off(),
            Want::Answer(transfer, answer) => {
                // It is answered now; a second click would answer nothing.
                self.view.offers.retain(|offer| offer.transfer != transfer);
                (self.commands)(Command::Answer(transfer, answer));
            }
            Want::PickOtherFolder(id) => _ = self.dialog(Kind::OtherFolder(id), context, frame),
            Want::PickOfferFolder(id) => _ = self.dialog(Kind::OfferFolder(id), context, frame),
            Want::PickRuleFolder(id) => _ = self.dialog(Kind::RuleFolder(id), context, frame),
            Want::Confirm(transfer, same) => {
                self.view.answered(transfer);
                (self.commands)(Command::Confirm(transfer, same));
            }
            Want::Block(transfer, peer) => self.block(transfer, &peer),
            Want::Unblock(device) => {
                self.view.notice = None;
                (self.commands)(Command::ForgetDevice(device));
            }
            Want::AnswerWish(device, remember) => {
                let wishes = &mut self.view.wishes;
                wishes.retain(|peer| peer.device_id != Some(device));
                if remember {
                    (self.commands)(Command::Remember(device));
                }
            }
            Want::PairAgain(missed) => {
                (self.commands)(Command::ForgetDevice(missed.device));
                self.view.draft.pair_again(&missed);
            }
            Want::SetAllow(allow) => {
                self.settings.allow = allow;
                (self.commands)(Command::SetAllow(allow));
                self.save();
            }
            Want::SetOnConflict(rule) => {
                self.settings.on_conflict = rule;
                (self.commands)(Command::SetOnConflict(rule));
                self.save();
            }
            Want::SendAgain(id) => self.send_again(id),
            Want::ClearFinished => self.view.rows.retain(|row| !row.finished()),
            Want::Delete(id) => {
                (self.commands)(Command::Forget(id));
                self.view.rows.retain(|row| row.id != id);
            }
            Want::ToggleDetails(id) => {
                if let Some(row) = self.view.row(id) {
                    row.open = !row.open;
                }
            }
            Want::Filter(id, filter) => {
                if let Some(row) = self.view.row(id) {
                    row.filter = filter;
                }
            }
            Want::SaveList(lines) => {
                if self.dialog(Kind::List, context, frame) {
                    self.list = lines;
                }
            }
            Want::OpenSettings => {
                let dialog = SettingsDialog::new(&self.settings);
                self.modal = Some(ModalState::Settings(Box::new(dialog)));
            }
            Want::OpenDoctor(of) => {
                let dialog = DoctorDialog::new(of.as_ref());
                self.modal = Some(ModalState::Doctor(dialog));
                self.diagnose(of);
            }
            Want::Diagnose(of) => self.diagnose(of),
            Want::OpenKnown => {
                let dialog = SettingsDialog::at_known(&self.settings);
                self.modal = Some(ModalState::Settings(Box::new(dialog)));
            }
            Want::Rename(name) => {
                self.settings.name = name;
                (self.commands)(Command::SetName(self.settings.device_name()));
                self.save();
            }
            Want::SetPort(port) => {
                self.settings.port = port;
                self.save();
                if matches!(self.view.server, Server::On(_)) {
                    self.listen();
                }
            }
            Want::LimitSpeed(id, limit) => {
                if let Some(row) = self.view.row(id) {
                    row.limit = limit;
                }
                (self.commands)(Command::LimitSpeed(id, limit));
            }
            Want::SetSpeedLimit(limit) => {
                self.settings.speed_limit = limit;
                self.set_limits();
                self.save();
            }
            Want::SetAtOnce(at_once) => {
                self.settings.at_once = at_once;
                self.set_limits();
                self.save();
            }
            Want::SetTheme(theme) => {
                self.settings.theme = theme;
                self.save();
            }
            Want::SetLanguage(language) => {
                self.settings.language = language;
                self.texts = texts(language);
                self.save();
            }
            Want::SetSaveFolder(folder) => self.set_save_folder(folder),
            Want::DismissNotice => self.view.notice = None,
            Want::Copy(text) => context.copy_text(text),
            Want::Engine(command) => {
                if matches!(command, Command::NewCode) {
                    self.view.forget_tries();
                }
                (self.commands)(command);
            }
        }
    }

    fn dialog(&mut self, kind: Kind, context: &Context, frame: Option<&eframe::Frame>) -> bool {
        let start = match kind {
            Kind::Files | Kind::Folder | Kind::List => None,
            Kind::SaveFolder | Kind::OtherFolder(_) | Kind::RuleFolder(_) => {
                Some(&self.settings.save_folder)
            }
            Kind::OfferFolder(id) => {
                let mut offers = self.view.offers.iter();
                offers
                    .find(|offer| offer.transfer == id)
                    .map(|offer| &offer.folder)
            }
        };
        self.dialogs.show(kind, self.texts, start, context, frame)
    }

    pub(super) fn add(&mut self, path: PathBuf) {
        // What the shell handed over may be relative; the list shows and sends the real place.
        let path = std::path::absolute(&path).unwrap_or(path);
        if self.view.draft.add(path.clone()) {
            (self.commands)(Command::Measure(path));
        }
    }

    /// `ask`: without a secret; the two people compare symbols.
    fn send_now(&mut self, ask: bool) {
        let (draft, devices) = (&self.view.draft, &self.view.devices);
        let Ok(Ready { to, secret, ask }) = ready(draft, devices, self.texts, ask) else {
            return;
        };
        let picks = draft.picks.iter();
        let sources: Vec<_> = picks.map(|pick| pick.path.clone()).collect();
        if let Some(interrupted) = self.view.kept_like(&sources, &to) {
            // The same things to the same device: it goes on instead of beginning anew.
            (self.commands)(Command::Resume(interrupted));
            self.view.draft.sent(interrupted, to);
            return;
        }
        let known = draft.entry(devices) == Entry::Known;
        let transfer = new_transfer_id();
        (self.commands)(Command::Send(SendRequest {
            device: draft.device(devices),
            ask,
            remember: draft.remember && !known,
            transfer,
            sources,
            to: to.clone(),
            secret,
        }));
        self.view.draft.sent(transfer, to);
    }

    fn send_again(&mut self, id: crate::model::TransferId) {
        let Some(row) = self.view.row(id) else { return };
        let (places, peer) = (row.places.clone(), row.peer.clone());
        let devices = &self.view.devices;
        let known = devices.iter().find(|device| {
            Some(device.id) == peer.device_id
                && device.bond == Bond::Paired
                && device.address.is_some()
        });
        match known {
            Some(device) => self.view.draft.choose(device),
            None => self.view.draft.go_to(peer.address),
        }
        places.into_iter().for_each(|path| self.add(path));
    }

    fn block(&mut self, transfer: TransferId, peer: &Peer) {
        self.view.offers.retain(|offer| offer.transfer != transfer);
        (self.commands)(Command::Answer(transfer, Answer::Decline));
        if let Some(device) = peer.device_id {
            (self.commands)(Command::Block(device));
            self.view.notice = Some(Notice::Blocked(device, peer.name.clone()));
        }
    }

    fn diagnose(&mut self, of: Option<PeerAddress>) {
        // What was found before is not about that.
        self.view.diagnosis = None;
        let usual_port = self.settings.port;
        (self.commands)(Command::Diagnose { of, usual_port });
    }

    fn switch_on(&mut self) {
        self.settings.receive_on = true;
        self.save();
        self.listen();
    }

    fn switch_off(&mut self) {
        if self.view.receiving() > 0 {
            self.modal = Some(ModalState::Stop);
        } else {
            self.stop_listening(StopMode::LetFinish);
        }
    }

    pub(super) fn stop_listening(&mut self, mode: StopMode) {
        self.settings.receive_on = false;
        self.save();
        (self.commands)(Command::StopListening(mode));
    }

    pub(super) fn listen(&mut self) {
        self.view.server = Server::Starting;
        (self.commands)(Command::Listen(ListenOptions {
            allow: self.settings.allow,
            remember: false,
            bind: Bind::Preferred(self.settings.port),
            save_folder: self.settings.save_folder.clone(),
            passphrase: None,
            once: false,
            accept: AcceptPolicy::Ask,
            on_conflict: self.settings.on_conflict,
        }));
    }

    pub(super) fn set_limits(&self) {
        (self.commands)(Command::SetLimits(self.settings.limits()));
    }

    pub(super) fn set_save_folder(&mut self, folder: PathBuf) {
        self.settings.save_folder.clone_from(&folder);
        self.save();
        if let Server::On(listening) = &mut self.view.server {
            listening.save_folder.clone_from(&folder);
        }
        (self.commands)(Command::SetSaveFolder(folder));
    }

    pub(super) fn set_rule_folder(&mut self, id: DeviceId, folder: PathBuf) {
        let mut devices = self.view.devices.iter();
        let Some(device) = devices.find(|device| device.id == id) else {
            return;
        };
        let max_bytes = match device.rule {
            Rule::Accept { max_bytes, .. } => max_bytes,
            Rule::Ask | Rule::Never => None,
        };
        let folder = Some(folder);
        let rule = Rule::Accept { folder, max_bytes };
        (self.commands)(Command::SetRule(id, rule));
    }

    /// The port really got is kept from then on.
    pub(super) fn notice_port(&mut self, event: &Event) {
        if let Event::Listening(listening) = event
            && listening.addr.port() != self.settings.port
        {
            self.settings.port = listening.addr.port();
            self.save();
        }
    }

    fn save(&mut self) {
        if let Some(data_dir) = &self.data_dir
            && let Err(error) = self.settings.save(Path::new(data_dir))
        {
            self.view.notice = Some(Notice::NotSaved(error.to_string()));
        }
    }
}
