//! What happens when a person wants something: a command, or a change of what is shown.

use std::path::PathBuf;
use std::time::Duration;

use egui::Context;

use super::{App, ModalState, Page};
use crate::engine::{
    AcceptPolicy, Answer, Bind, Command, Event, ListenError, ListenOptions, Offer, SendRequest,
    StopMode, TalkRequest, new_message_id, new_transfer_id,
};
use crate::gui::clipboard::NoPicture;
use crate::gui::clock::stamp;
use crate::gui::dialogs::Kind;
use crate::gui::panels::Want;
use crate::gui::panels::destination::{Around, Ready, ready, way_in};
use crate::gui::panels::doctor::DoctorDialog;
use crate::gui::panels::settings::{Page as SettingsPage, SettingsDialog};
use crate::gui::reveal::What;
use crate::gui::texts::texts;
use crate::gui::view::{Entry, Notice, Server, WireView, cards};
use crate::model::{Bond, DeviceId, Direction, Peer, PeerAddress, Problem, Rule, TransferId};
use crate::report;
use crate::settings::Settings;

impl App {
    pub(in crate::gui) fn fulfil(
        &mut self,
        want: Want,
        context: &Context,
        frame: Option<&eframe::Frame>,
    ) {
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
                if matches!(answer, Answer::Accept { .. }) {
                    self.reveal.mine(What::Row(transfer));
                }
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
                self.view.notices.retain(
                    |notice| !matches!(notice, Notice::Blocked(blocked, _) if *blocked == device),
                );
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
            Want::SendBack(id) => self.send_back(id),
            Want::OpenTalks => self.show_talk(self.view.talks.threads.first().map(|one| one.with)),
            Want::ShowTalk(device) => self.show_talk(device),
            Want::ShowTransfers => self.show_transfers(),
            Want::WriteText => {
                let chosen = self.view.draft.chosen.as_ref();
                self.show_talk(chosen.map(|chosen| chosen.id));
            }
            Want::Say(device, ask) => self.say(device, ask),
            Want::SayAgain(device, text) => self.say_again(device, text),
            Want::PickForTalk(id) => _ = self.dialog(Kind::ForTalk(id), context, frame),
            Want::PastePicture(device) => {
                self.view.talks.no_picture(device, None);
                self.paste_picture(device, context);
            }
            Want::ClearTalk(device) => {
                self.view.talks.cleared(device);
                (self.commands)(Command::ClearConversation(device));
            }
            Want::AnswerText(device, yes) => {
                self.view.talks.answered(device);
                (self.commands)(Command::AnswerText(device, yes));
                if yes {
                    self.show_talk(Some(device));
                }
            }
            Want::BlockText(peer) => {
                if let Some(device) = peer.device_id {
                    self.view.talks.answered(device);
                    (self.commands)(Command::AnswerText(device, false));
                    (self.commands)(Command::Block(device));
                    self.view.tell(Notice::Blocked(device, peer.name));
                }
            }
            Want::OpenUrl(url) => context.open_url(egui::OpenUrl::new_tab(url)),
            Want::ClearFinished => self.view.rows.retain(|row| !row.finished()),
            Want::Delete(id) => match self.view.row(id) {
                Some(row) if row.held_bytes() > 0 => self.modal = Some(ModalState::GiveUp(id)),
                _ => self.forget(id),
            },
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
            Want::OpenSettings => self.open_settings(|dialog| dialog),
            Want::OpenDoctor(of) => {
                let dialog = DoctorDialog::new(of.as_ref());
                self.modal = Some(ModalState::Doctor(dialog));
                self.diagnose(of);
            }
            Want::OpenHelp => self.modal = Some(ModalState::Help),
            Want::Quit => self.want_quit(context),
            Want::SetOnClose(on_close) => {
                self.settings.on_close = on_close;
                self.save();
            }
            Want::SetNotify(notify) => {
                self.settings.notify = notify;
                self.save();
            }
            // Drawn with the next picture.
            Want::SetZoom(percent) => {
                self.settings.zoom_percent = percent;
                self.save();
            }
            Want::Diagnose(of) => self.diagnose(of),
            Want::CopyReport => self.report(context),
            Want::OpenKnown => self.open_settings(|dialog| dialog.at(SettingsPage::Known)),
            Want::OpenNetwork => self.open_settings(|dialog| dialog.at(SettingsPage::Network)),
            Want::Rename(name) => {
                self.settings.name = name;
                (self.commands)(Command::SetName(self.settings.device_name()));
                self.save();
            }
            Want::SetPort(port) => {
                self.settings.port = port;
                self.save();
                if matches!(self.view.server, Server::On(_) | Server::Failed(_)) {
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
            Want::KeepConversations(keep) => {
                self.settings.keep_conversations = keep;
                (self.commands)(Command::KeepConversations(keep));
                self.save();
            }
            Want::SetPresence(presence) => {
                self.settings.presence = presence;
                (self.commands)(Command::SetPresence(presence));
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
            Want::ResetSettings => self.reset_settings(),
            Want::ShowWire(on) => self.show_wire(on),
            Want::OpenWire(id) => self.view.wire.open = id,
            Want::WireRevealed => self.view.wire.reveal = false,
            Want::Dismiss(notice) => {
                if notice == Notice::TextPasted {
                    self.hands.text = None;
                }
                self.view.notices.retain(|one| *one != notice);
            }
            Want::Copy(text) => {
                context.copy_text(text);
                self.toast.say(context, self.texts.set.copied);
            }
            Want::Engine(command) => {
                if matches!(command, Command::NewCode) {
                    self.view.forget_tries();
                }
                if let Command::Resume(id) = command {
                    // Its row goes to the top.
                    self.reveal.mine(What::Row(id));
                }
                (self.commands)(command);
            }
        }
    }

    fn dialog(&mut self, kind: Kind, context: &Context, frame: Option<&eframe::Frame>) -> bool {
        let start = match kind {
            Kind::Files | Kind::Folder | Kind::List | Kind::ForTalk(_) => None,
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

    /// A file or folder to be sent, or a `ropeway://` link that says to whom.
    pub(super) fn add(&mut self, path: PathBuf) {
        if let Some(link) = path.to_str().filter(|text| PeerAddress::is_link(text)) {
            self.page = Page::Transfers;
            self.to_top = true;
            self.view.draft.go_to(link.to_owned());
            return;
        }
        // What the shell handed over may be relative; the list shows and sends the real place.
        let path = std::path::absolute(&path).unwrap_or(path);
        self.reveal.mine(What::Picks);
        if self.view.draft.add(path.clone()) {
            (self.commands)(Command::Measure(path));
        }
    }

    /// `ask`: without a secret; the two people compare symbols.
    fn send_now(&mut self, ask: bool) {
        let (draft, devices) = (&self.view.draft, &self.view.devices);
        let around = Around::of(&self.view);
        let Ok(ready) = ready(draft, &around, self.texts, ask) else {
            return;
        };
        let Ready {
            to,
            secret,
            ask,
            wait,
        } = ready;
        let picks = draft.picks.iter();
        let sources: Vec<_> = picks.map(|pick| pick.path.clone()).collect();
        if let Some(interrupted) = self.view.kept_like(&sources, &to) {
            // The same things to the same device: it goes on instead of beginning anew.
            (self.commands)(Command::Resume(interrupted));
            self.view.draft.sent(interrupted, to);
            self.reveal.mine(What::Row(interrupted));
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
            wait_for_it: wait,
        }));
        self.view.draft.sent(transfer, to);
        self.reveal.mine(What::Row(transfer));
    }

    /// What comes by itself comes into sight, once.
    pub(super) fn news(&mut self, event: &Event) {
        match event {
            Event::Offer(offer) => {
                let new = |known: &Offer| known.transfer != offer.transfer;
                if self.view.offers.iter().all(new) {
                    self.reveal.came(What::Offers);
                }
            }
            Event::TextOffered(_) => self.reveal.came(What::Offers),
            Event::Started(started) if started.direction == Direction::Receive => {
                self.reveal.came(What::Row(started.transfer));
            }
            Event::Ended(summary) => self.reveal.over(What::Row(summary.transfer)),
            _ => {}
        }
    }

    fn show_talk(&mut self, with: Option<DeviceId>) {
        self.page = Page::Talks;
        match with {
            Some(with) => {
                let cards = cards(&self.view.devices, &self.view.nearby);
                let card = cards.iter().find(|card| card.id == with);
                self.view.talks.show(card, with);
                self.talks_panel.focus = Some(with);
                self.fill_in_text(with);
            }
            None => self.view.talks.open = None,
        }
    }

    fn say(&mut self, with: DeviceId, ask: bool) {
        let paired = self.view.bond(with) == Some(Bond::Paired);
        let devices = &self.view.devices;
        let Some(thread) = self.view.talks.thread_of(with) else {
            return;
        };
        let Ok(text) = thread.typed() else { return };
        let id = new_message_id();
        if thread.is_open(paired) {
            let text = text.to_owned();
            if let Some(thread) = self.view.talks.thread(with) {
                thread.said = Some((id, text.clone()));
            }
            (self.commands)(Command::Say { to: with, id, text });
        } else {
            let way = &thread.way;
            let (Some(to), Ok((secret, ask))) = (way.to(), way_in(way, devices, self.texts, ask))
            else {
                return;
            };
            let attempt = new_transfer_id();
            (self.commands)(Command::Talk(TalkRequest {
                id: attempt,
                to,
                device: way.chosen.clone(),
                secret,
                ask,
                remember: way.remember,
                first: Some((id, text.to_owned())),
            }));
            let text = text.to_owned();
            if let Some(thread) = self.view.talks.thread(with) {
                thread.attempt = Some((attempt, text));
                thread.failure = None;
            }
        }
        if let Some(thread) = self.view.talks.thread(with) {
            thread.text.clear();
        }
    }

    /// As the latest line. To a device that has to be let in first, it is typed again for the person.
    fn say_again(&mut self, with: DeviceId, text: String) {
        let paired = self.view.bond(with) == Some(Bond::Paired);
        let Some(thread) = self.view.talks.thread(with) else {
            return;
        };
        if !thread.is_open(paired) {
            thread.give_back(text);
            self.talks_panel.focus = Some(with);
            return;
        }
        let id = new_message_id();
        thread.said = Some((id, text.clone()));
        (self.commands)(Command::Say { to: with, id, text });
    }

    fn send_back(&mut self, id: TransferId) {
        let Some(row) = self.view.row(id) else { return };
        let device = row.peer.device_id;
        for path in row.result_paths() {
            self.add(path);
        }
        let cards = cards(&self.view.devices, &self.view.nearby);
        if let Some(card) = cards.iter().find(|card| Some(card.id) == device) {
            self.view.draft.choose(card);
        }
        self.to_top = true;
    }

    /// Straight to a device that is paired; to another one, as the panel for sending asks.
    pub(super) fn send_in_talk(&mut self, with: DeviceId, paths: Vec<PathBuf>) {
        let cards = cards(&self.view.devices, &self.view.nearby);
        let card = cards.iter().find(|card| card.id == with);
        match card.filter(|card| card.is_paired()) {
            Some(card) => {
                let address = card.address.as_deref().and_then(|at| at.parse().ok());
                (self.commands)(Command::Send(SendRequest {
                    device: Some(card.chosen()),
                    ask: false,
                    remember: false,
                    transfer: new_transfer_id(),
                    sources: paths,
                    to: address.unwrap_or_else(|| PeerAddress::nowhere(with)),
                    secret: None,
                    wait_for_it: true,
                }));
            }
            None => {
                if let Some(card) = card {
                    self.view.draft.choose(card);
                }
                paths.into_iter().for_each(|path| self.add(path));
                self.show_transfers();
            }
        }
    }

    /// No conversation is open then.
    pub(super) fn show_transfers(&mut self) {
        self.page = Page::Transfers;
        self.view.talks.open = None;
    }

    /// The engine writes a picture down, since what is sent is a file.
    pub(super) fn stash(&mut self, bytes: Vec<u8>, device: Option<DeviceId>) {
        let id = new_transfer_id();
        let name = (self.texts.picture_name)(&stamp());
        self.stashing.push((id, device));
        (self.commands)(Command::Stash { id, name, bytes });
    }

    pub(super) fn stashed(&mut self, id: TransferId, stored: Result<PathBuf, Problem>) {
        let position = self.stashing.iter().position(|(known, _)| *known == id);
        let Some(position) = position else { return };
        let (_, device) = self.stashing.swap_remove(position);
        match (stored, device) {
            (Ok(path), Some(device)) => self.send_in_talk(device, vec![path]),
            (Ok(path), None) => self.add(path),
            (Err(problem), None) => self.not_stashed(problem),
            (Err(problem), Some(device)) => {
                let why = NoPicture::Problem(problem);
                self.view.talks.no_picture(device, Some(why));
            }
        }
    }

    fn send_again(&mut self, id: crate::model::TransferId) {
        let Some(row) = self.view.row(id) else { return };
        let (places, peer) = (row.places.clone(), row.peer.clone());
        let cards = cards(&self.view.devices, &self.view.nearby);
        let mut cards = cards.iter();
        match cards.find(|card| Some(card.id) == peer.device_id && card.is_paired()) {
            Some(card) => self.view.draft.choose(card),
            None => self.view.draft.go_to(peer.address),
        }
        places.into_iter().for_each(|path| self.add(path));
    }

    fn block(&mut self, transfer: TransferId, peer: &Peer) {
        self.view.offers.retain(|offer| offer.transfer != transfer);
        (self.commands)(Command::Answer(transfer, Answer::Decline));
        if let Some(device) = peer.device_id {
            (self.commands)(Command::Block(device));
            self.view.tell(Notice::Blocked(device, peer.name.clone()));
        }
    }

    /// With what the dialog has found by now.
    fn report(&mut self, context: &Context) {
        let settings = self.settings.clone();
        let data_dir = self.data_dir.clone().unwrap_or_default();
        let diagnosis = self.view.diagnosis.clone();
        let devices = self.view.devices.iter();
        let names: Vec<_> = devices.map(|known| known.shown().to_string()).collect();
        let make = move || report::write(&settings, &data_dir, diagnosis.as_ref(), &names);
        self.reporting.start("report", make, context);
    }

    pub(super) fn report_made(&mut self, context: &Context) {
        if let Some(Ok(text)) = self.reporting.poll() {
            context.copy_text(text);
            if let Some(ModalState::Doctor(dialog)) = &mut self.modal {
                dialog.report_copied = true;
            }
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

    pub(super) fn forget(&mut self, id: TransferId) {
        (self.commands)(Command::Forget(id));
        self.view.rows.retain(|row| row.id != id);
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

    /// Everything but what is on now. Each acts as if the person had changed it.
    fn reset_settings(&mut self) {
        let port = self.settings.port;
        self.settings = Settings {
            receive_on: self.settings.receive_on,
            ..Settings::default()
        };
        let settings = &self.settings;
        self.texts = texts(settings.language);
        for command in [
            Command::SetName(settings.device_name()),
            Command::SetAllow(settings.allow),
            Command::SetOnConflict(settings.on_conflict),
            Command::SetPresence(settings.presence),
            Command::KeepConversations(settings.keep_conversations),
        ] {
            (self.commands)(command);
        }
        self.set_limits();
        self.set_save_folder(self.settings.save_folder.clone());
        self.show_wire(self.settings.wire);
        if matches!(self.view.server, Server::On(_)) && self.settings.port != port {
            self.listen();
        }
        self.open_settings(|dialog| dialog.at(SettingsPage::Advanced));
    }

    /// `turn` says where.
    pub(in crate::gui) fn open_settings(
        &mut self,
        turn: impl FnOnce(SettingsDialog) -> SettingsDialog,
    ) {
        let dialog = SettingsDialog::new(&self.settings, self.data_dir.clone());
        self.modal = Some(ModalState::Settings(Box::new(turn(dialog))));
    }

    pub(super) fn set_limits(&self) {
        (self.commands)(Command::SetLimits(self.settings.limits()));
    }

    fn show_wire(&mut self, on: bool) {
        self.settings.wire = on;
        self.save();
        self.view.wire = WireView {
            reveal: on && self.modal.is_none(),
            ..WireView::default()
        };
        (self.commands)(Command::WatchWire(on));
    }

    pub(super) fn set_save_folder(&mut self, folder: PathBuf) {
        self.settings.save_folder.clone_from(&folder);
        self.save();
        if let Server::On(listening) = &mut self.view.server {
            listening.save_folder.clone_from(&folder);
        }
        (self.commands)(Command::SetSaveFolder(folder));
        if matches!(self.view.server, Server::Failed(ListenError::Folder { .. })) {
            // It is on as soon as there is a folder that can be used.
            self.listen();
        }
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

    /// Another port than the chosen one is for this time only, and is said.
    pub(super) fn notice_port(&mut self, event: &Event) {
        if let Event::Listening(listening) = event {
            self.view
                .notices
                .retain(|notice| !matches!(notice, Notice::PortMoved { .. }));
            if listening.port_moved {
                self.view.tell(Notice::PortMoved {
                    chosen: self.settings.port,
                    got: listening.addr.port(),
                });
            }
        }
    }

    pub(super) fn save(&mut self) {
        if let Some(saver) = &mut self.saver {
            saver.save(&self.settings);
        } else if let Some(data_dir) = &self.data_dir
            && let Err(error) = self.settings.save(data_dir)
        {
            self.view.tell(Notice::NotSaved(error.to_string()));
        }
    }

    /// Says what could not be written.
    pub(super) fn heed_saver(&mut self, context: &Context) {
        /// So that it is said although nothing else happens.
        const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(200);
        let Some(saver) = &mut self.saver else {
            return;
        };
        if let Some(trouble) = saver.poll() {
            self.view.tell(Notice::NotSaved(trouble));
        }
        if saver.is_waiting() {
            context.request_repaint_after(LOOK_AGAIN_AFTER);
        }
    }
}
