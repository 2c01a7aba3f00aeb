//! The window's state between frames, and what happens when a person wants something.

mod fulfil;
mod hands;
mod room;

use std::path::PathBuf;
use std::sync::mpsc::Receiver;

use egui::{CentralPanel, Context, Frame, Margin, Panel, Rect, ScrollArea, ThemePreference, Ui};

use super::aside::Aside;
use super::dialogs::{Dialogs, Picked};
use super::format::size;
use super::ground::Ground;
use super::panels::callers::{callers_ui, clicked_card, mark};
use super::panels::confirm::symbols_question_ui;
use super::panels::destination::Around;
use super::panels::doctor::{DoctorDialog, doctor_ui};
use super::panels::header::{NameEditor, TalksButton, header_ui};
use super::panels::help::help_ui;
use super::panels::modals::{self, Question, ask, stop_question};
use super::panels::notice::{NoticePanel, notices_ui};
use super::panels::offers::{OfferPanel, offers_ui};
use super::panels::receive::{ReceivePanel, receive_ui};
use super::panels::send::{SendPanel, send_ui};
use super::panels::settings::{SettingsDialog, settings_ui};
use super::panels::talks::{TalksPanel, talks_ui, text_offers_ui};
use super::panels::transfers::transfers_ui;
use super::panels::wire::wire_ui;
use super::panels::{Scope, Want};
use super::reveal::{Reveal, What};
use super::saver::Saver;
use super::texts::{Texts, texts};
use super::toast::Toast;
use super::view::{Notice, View, cards};
use super::{keys, tab, theme, widgets};
use crate::engine::{Command, Event, StopMode};
use crate::model::{DeviceId, Direction, FailedLine, Presence, TransferId};
use crate::settings::{Settings, Theme};

pub use hands::Hands;

/// How commands leave: to the engine, or to a test.
pub type Commands = Box<dyn Fn(Command)>;

pub struct App {
    pub view: View,
    pub settings: Settings,
    /// Instead of the setting, until somebody changes that.
    pub presence_of_run: Option<Presence>,
    data_dir: Option<PathBuf>,
    saver: Option<Saver>,
    commands: Commands,
    events: Receiver<Event>,
    texts: &'static Texts,
    dialogs: Dialogs,
    /// The diagnostic report, which reads files.
    reporting: Aside<String>,
    /// Pictures that the engine is writing down, and for whom; for nobody: they go to the list.
    stashing: Vec<(TransferId, Option<DeviceId>)>,
    /// Waits for the person to say where it goes.
    list: Vec<FailedLine>,
    name_editor: NameEditor,
    send_panel: SendPanel,
    ground: Ground,
    receive_panel: ReceivePanel,
    offer_panel: OfferPanel,
    talks_panel: TalksPanel,
    notice_panel: NoticePanel,
    page: Page,
    modal: Option<ModalState>,
    pub hands: Hands,
    toast: Toast,
    /// The taller of the two panels in the last frame: the other one is stretched to it.
    panels_height: f32,
    room: room::Room,
    /// The panels are brought into sight.
    to_top: bool,
    reveal: Reveal,
}

/// What is below the top line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Page {
    Transfers,
    Talks,
}

enum ModalState {
    Stop,
    GiveUp(TransferId),
    Quit,
    Settings(Box<SettingsDialog>),
    Doctor(DoctorDialog),
    Help,
}

impl App {
    /// Without a data folder nothing is saved (for tests).
    pub fn new(
        settings: Settings,
        data_dir: Option<PathBuf>,
        commands: Commands,
        events: Receiver<Event>,
    ) -> Self {
        let saver = data_dir.clone().and_then(|data_dir| {
            Saver::start(data_dir)
                .inspect_err(|error| tracing::warn!(%error, "settings are not kept"))
                .ok()
        });
        Self {
            view: View::default(),
            texts: texts(settings.language),
            settings,
            data_dir,
            saver,
            commands,
            events,
            dialogs: Dialogs::default(),
            reporting: Aside::default(),
            stashing: Vec::new(),
            list: Vec::new(),
            name_editor: NameEditor::default(),
            send_panel: SendPanel::default(),
            receive_panel: ReceivePanel::default(),
            ground: Ground::default(),
            presence_of_run: None,
            offer_panel: OfferPanel::default(),
            talks_panel: TalksPanel::default(),
            notice_panel: NoticePanel::default(),
            page: Page::Transfers,
            modal: None,
            hands: Hands::default(),
            toast: Toast::default(),
            panels_height: 0.0,
            room: room::Room::default(),
            to_top: false,
            reveal: Reveal::default(),
        }
    }

    /// What happens once: the queued paths, the server if it was on.
    pub fn start(&mut self, paths: Vec<PathBuf>, not_read: Option<String>) {
        if let Some(why) = not_read {
            self.view.tell(Notice::NotRead(why));
        }
        self.set_limits();
        let presence = self.presence_of_run.unwrap_or(self.settings.presence);
        (self.commands)(Command::SetPresence(presence));
        (self.commands)(Command::KeepConversations(self.settings.keep_conversations));
        if self.settings.wire {
            (self.commands)(Command::WatchWire(true));
        }
        (self.commands)(Command::TakeUpWaiting);
        for path in paths {
            self.add(path);
        }
        if self.settings.receive_on {
            self.listen();
        }
    }

    /// Takes in what the engine and the dialogs have to say.
    pub fn drain(&mut self) {
        while let Ok(event) = self.events.try_recv() {
            self.notice_port(&event);
            self.watch(&event);
            self.room_told(&event);
            self.news(&event);
            if let Event::Stashed(id, stored) = &event {
                self.stashed(*id, stored.clone());
            }
            self.view.apply(event);
        }
        match self.dialogs.poll() {
            Some(Picked::ToSend(paths)) => {
                self.show_transfers();
                paths.into_iter().for_each(|path| self.add(path));
            }
            Some(Picked::SaveFolder(folder)) => self.set_save_folder(folder),
            Some(Picked::List(path)) => {
                let lines = std::mem::take(&mut self.list);
                (self.commands)(Command::SaveList { path, lines });
            }
            Some(Picked::OtherFolder(id, folder)) => (self.commands)(Command::MoveTo(id, folder)),
            Some(Picked::OfferFolder(id, folder)) => (self.commands)(Command::LookInto(id, folder)),
            Some(Picked::RuleFolder(id, folder)) => self.set_rule_folder(id, folder),
            Some(Picked::ForTalk(device, paths)) => self.send_in_talk(device, paths),
            Some(Picked::NoDialog) => self.send_panel.without_dialog = true,
            Some(Picked::Nothing) | None => {}
        }
    }

    /// What the window is called: how far everything is, to be seen while it is minimised.
    pub fn title(&self) -> String {
        match self.overall_percent() {
            Some(percent) => format!("{percent}% – Ropeway"),
            None => "Ropeway".to_owned(),
        }
    }

    /// One frame.
    pub fn ui(&mut self, ui: &mut Ui, frame: Option<&eframe::Frame>) {
        let context = ui.ctx().clone();
        if !self.is_drawn() {
            return;
        }
        context.set_theme(match self.settings.theme {
            Theme::System => ThemePreference::System,
            Theme::Light => ThemePreference::Light,
            Theme::Dark => ThemePreference::Dark,
        });
        let mut wants = Vec::new();
        tab::move_focus(&context);
        self.zoom(&context);
        self.pastes(&context);
        self.shortcuts(&context, &mut wants);
        self.drops(&context);
        let busy = self.modal.is_some() || !self.view.questions.is_empty();
        self.reveal.look(&context, busy);
        self.report_made(&context);
        self.look_at_room(&context);
        self.speak(ui);
        let texts = self.texts;
        let mut scope = Scope {
            texts,
            wants: &mut wants,
        };
        let side = theme::window_margin(&context);
        let margin = Margin::symmetric(side, theme::header_margin(&context));
        let ground = self.ground.frame(&context);
        Panel::top("header")
            .show_separator_line(false)
            .frame(ground.inner_margin(margin))
            .show(ui, |ui| {
                let talks = TalksButton {
                    unread: self.view.talks.unread(),
                    open: self.page == Page::Talks,
                };
                let name = &self.settings.name;
                header_ui(ui, &mut scope, name, talks, &mut self.name_editor);
            });
        let margin = Margin {
            top: 0,
            ..Margin::same(side)
        };
        let flat = theme::is_flat(&context);
        CentralPanel::default().frame(ground).show(ui, |ui| {
            // In sight wherever the person has scrolled to, if that leaves something to scroll.
            if !flat {
                notices_ui(ui, &mut scope, &self.view, &mut self.notice_panel);
                callers_ui(ui, &mut scope, &self.view);
            }
            if self.page == Page::Talks && !flat {
                Frame::new()
                    .inner_margin(margin)
                    .show(ui, |ui| self.talks(ui, &mut scope));
                return;
            }
            let inside = ui.spacing().scroll;
            // The bar lies in the margin, so that all edges are in line.
            ui.spacing_mut().scroll.floating_allocated_width = 0.0;
            let mut area = ScrollArea::vertical().auto_shrink([false, false]);
            if std::mem::take(&mut self.to_top) {
                area = area.vertical_scroll_offset(0.0);
            }
            area.show(ui, |ui| {
                ui.spacing_mut().scroll = inside;
                if flat {
                    notices_ui(ui, &mut scope, &self.view, &mut self.notice_panel);
                    callers_ui(ui, &mut scope, &self.view);
                }
                Frame::new()
                    .inner_margin(margin)
                    .show(ui, |ui| match self.page {
                        Page::Transfers => self.body(ui, &mut scope),
                        Page::Talks => self.talks(ui, &mut scope),
                    });
            });
        });
        self.modal(&context, &mut scope);
        symbols_question_ui(&context, &mut scope, &self.view);
        self.overlay(&context);
        self.toast.ui(&context);
        for want in wants {
            self.fulfil(want, &context, frame);
        }
    }

    fn talks(&mut self, ui: &mut Ui, scope: &mut Scope) {
        self.offers(ui, scope);
        self.reveal.offers_only();
        talks_ui(ui, scope, &mut self.view, &mut self.talks_panel);
    }

    /// What somebody waits for, above everything else.
    fn offers(&mut self, ui: &mut Ui, scope: &mut Scope) {
        let top = ui.cursor().top();
        offers_ui(ui, scope, &self.view.offers, &mut self.offer_panel);
        text_offers_ui(ui, scope, &self.view);
        let asked = top..=ui.cursor().top() - theme::SECTION;
        let asked = Rect::from_x_y_ranges(ui.max_rect().x_range(), asked);
        self.reveal.show(ui, What::Offers, asked);
    }

    fn body(&mut self, ui: &mut Ui, scope: &mut Scope) {
        theme::close_up(ui);
        self.offers(ui, scope);
        if ui.available_width() >= theme::TWO_COLUMNS_FROM {
            let height = self.panels_height;
            let mut tallest = 0.0_f32;
            ui.spacing_mut().item_spacing.x = theme::SECTION;
            ui.columns(2, |columns| {
                let [left, right] = columns else { return };
                for column in [&mut *left, &mut *right] {
                    column.spacing_mut().item_spacing.x = theme::GAP;
                }
                widgets::card(left, |ui| {
                    ui.set_min_height(height);
                    let drawn = ui.vertical(|ui| self.send(ui, scope));
                    tallest = tallest.max(drawn.response.rect.height());
                });
                widgets::card(right, |ui| {
                    ui.set_min_height(height);
                    let drawn = ui.vertical(|ui| self.receive(ui, scope));
                    tallest = tallest.max(drawn.response.rect.height());
                });
            });
            ui.spacing_mut().item_spacing.x = theme::GAP;
            if (tallest - height).abs() > theme::LINE {
                self.panels_height = tallest;
                ui.ctx().request_repaint();
            }
        } else {
            widgets::card(ui, |ui| self.send(ui, scope));
            ui.add_space(theme::CARD_GAP);
            widgets::card(ui, |ui| self.receive(ui, scope));
        }
        ui.add_space(theme::CARD_GAP);
        let reveal = &mut self.reveal;
        // Where the window ends while nothing is scrolled; what is scrolled does not grow for that.
        let side = f32::from(theme::window_margin(ui.ctx()));
        let window = ui.ctx().content_rect().bottom() - ui.clip_rect().top();
        let within = side + f32::from(theme::CARD_PADDING);
        let bottom = ui.max_rect().top() + window - within;
        let bottom = (!self.settings.wire).then_some(bottom);
        widgets::card(ui, |ui| transfers_ui(ui, scope, &self.view, reveal, bottom));
        if self.settings.wire {
            ui.add_space(theme::GAP);
            widgets::card(ui, |ui| wire_ui(ui, scope, &self.view.wire));
        }
    }

    fn send(&mut self, ui: &mut Ui, scope: &mut Scope) {
        let mut cards = cards(&self.view.devices, &self.view.nearby);
        mark(&mut cards, &self.view);
        let view = &mut self.view;
        let chosen = view.draft.chosen.as_ref().map(|chosen| chosen.id);
        // Not as [`Around::of`]: the draft is changed meanwhile.
        let around = Around {
            cards,
            devices: &view.devices,
            recent: &view.recent,
        };
        self.send_panel.show_newest = self.reveal.takes(What::Picks);
        send_ui(ui, scope, &mut view.draft, &around, &mut self.send_panel);
        clicked_card(scope, &mut view.draft, &around.cards, chosen);
    }

    fn receive(&mut self, ui: &mut Ui, scope: &mut Scope) {
        let allow = self.settings.allow;
        receive_ui(ui, scope, &self.view, allow, &mut self.receive_panel);
    }

    fn shortcuts(&self, context: &Context, wants: &mut Vec<Want>) {
        if self.modal.is_some() || !self.view.questions.is_empty() {
            return;
        }
        // The longer combination first, or the shorter one would take its key.
        let pressed = |keys| keys::pressed(context, keys);
        if pressed(&keys::PICK_FOLDER) {
            wants.push(Want::PickFolder);
        } else if pressed(&keys::PICK_FILES) {
            wants.push(
                match self.view.talks.open.filter(|_| self.page == Page::Talks) {
                    Some(device) => Want::PickForTalk(device),
                    None => Want::PickFiles,
                },
            );
        }
        if self.page == Page::Transfers && pressed(&keys::SEND) {
            wants.push(Want::SendNow);
        }
        if pressed(&keys::TALKS) {
            wants.push(match self.page {
                Page::Transfers => Want::OpenTalks,
                Page::Talks => Want::ShowTransfers,
            });
        }
        if pressed(&keys::WIRE) {
            wants.push(Want::ShowWire(!self.settings.wire));
        }
        for (keys, want) in [
            (keys::DOCTOR, Want::OpenDoctor(None)),
            (keys::HELP, Want::OpenHelp),
            (keys::SETTINGS, Want::OpenSettings),
            (keys::QUIT, Want::Quit),
        ] {
            if keys::pressed(context, &keys) {
                wants.push(want);
            }
        }
    }

    /// Files and folders dropped anywhere on the window. Only their paths are asked for.
    fn drops(&mut self, context: &Context) {
        let dropped = context.input(|input| input.raw.dropped_files.clone());
        let paths = dropped.iter().map(|file| file.path().to_path_buf());
        let paths: Vec<_> = paths.collect();
        if !paths.is_empty() {
            self.take(paths);
        }
    }

    /// What comes into the window without a click: for the device whose conversation is in sight, or the list.
    fn take(&mut self, paths: Vec<PathBuf>) {
        match self.view.talks.open.filter(|_| self.page == Page::Talks) {
            Some(device) => self.send_in_talk(device, paths),
            None => self.take_for_list(paths),
        }
    }

    fn take_for_list(&mut self, paths: Vec<PathBuf>) {
        self.show_transfers();
        paths.into_iter().for_each(|path| self.add(path));
    }

    fn overlay(&self, context: &Context) {
        let hovering = context.input(|input| !input.raw.hovered_files.is_empty());
        if !hovering {
            return;
        }
        let palette = theme::palette_of(context);
        let layer = egui::LayerId::new(egui::Order::Foreground, egui::Id::unique("drop"));
        let painter = context.layer_painter(layer);
        let window = context.content_rect();
        painter.rect_filled(window, egui::CornerRadius::ZERO, palette.dim);
        let rect = window.shrink(theme::SECTION);
        let radius = egui::CornerRadius::same(theme::RADIUS_DIALOG);
        painter.rect_filled(rect, radius, palette.over);
        let stroke = egui::Stroke::new(theme::FOCUS_LINE, palette.link);
        painter.rect_stroke(rect, radius, stroke, egui::StrokeKind::Inside);
        let room = rect.width() - theme::SECTION;
        let mut middle = rect.center().y - theme::OVERLAY_ICON;
        let mut say = |text: String, font, color| {
            let mut job = egui::text::LayoutJob::simple(text, font, color, room);
            job.halign = egui::Align::Center;
            let words = painter.layout_job(job);
            let height = words.size().y;
            let at = egui::pos2(rect.center().x, middle - theme::GAP);
            middle += height + theme::GAP;
            painter.galley(at, words, color);
        };
        let symbol = char::from(lucide_icons::Icon::Upload).to_string();
        let icon = egui::FontId::new(theme::OVERLAY_ICON, theme::icons());
        say(symbol, icon, palette.link);
        let words = theme::strong_font(theme::LARGE);
        say(self.texts.drop_now.to_owned(), words, palette.text);
        let hint = self.texts.drop_hint.to_owned();
        say(hint, theme::body_font(), palette.muted);
    }

    fn modal(&mut self, context: &Context, scope: &mut Scope) {
        match &mut self.modal {
            None => {}
            Some(ModalState::Settings(dialog)) => {
                let stays = settings_ui(context, scope, &self.settings, &self.view.devices, dialog);
                if !stays {
                    self.modal = None;
                }
            }
            Some(ModalState::Doctor(dialog)) => {
                let diagnosis = self.view.diagnosis.as_ref();
                if !doctor_ui(context, scope, diagnosis, dialog) {
                    self.modal = None;
                }
            }
            Some(ModalState::Stop) => {
                let (title, text, answers) = stop_question(self.texts, self.view.receiving());
                let question = Question {
                    title,
                    text,
                    answers: &answers,
                    back: modals::STAY_ON,
                };
                if let Some(answer) = ask(context, "stop", &question) {
                    self.modal = None;
                    match answer {
                        modals::CANCEL => self.stop_listening(StopMode::EndTransfers),
                        modals::LET_FINISH => self.stop_listening(StopMode::LetFinish),
                        _ => {}
                    }
                }
            }
            Some(ModalState::GiveUp(id)) => {
                let id = *id;
                let Some(row) = self.view.row(id).filter(|row| row.held_bytes() > 0) else {
                    // It has gone on, or is gone.
                    self.modal = None;
                    return;
                };
                let here = row.direction == Direction::Receive;
                let question = Question {
                    title: self.texts.give_up_title,
                    text: (self.texts.give_up_text)(&size(row.held_bytes()), here),
                    answers: &[self.texts.delete, self.texts.give_up_back],
                    back: modals::KEEP,
                };
                if let Some(answer) = ask(context, "give up", &question) {
                    self.modal = None;
                    if answer == modals::GIVE_UP {
                        self.forget(id);
                    }
                }
            }
            Some(ModalState::Help) if !help_ui(context, scope) => self.modal = None,
            Some(ModalState::Help) => {}
            Some(ModalState::Quit) => self.closing(context),
        }
    }

    /// Asks about what runs, as when the window is closed.
    pub(super) fn ask_to_quit(&mut self) {
        self.modal = Some(ModalState::Quit);
    }

    /// Of everything that moves now, for the title and the task bar.
    pub(super) fn overall_percent(&self) -> Option<u64> {
        let moving = self.view.rows.iter().filter(|row| row.active());
        let (done, total) = moving
            .filter_map(|row| row.progress)
            .fold((0_u64, 0_u64), |(done, total), progress| {
                (done + progress.bytes, total + progress.total_bytes)
            });
        (total > 0).then(|| done.saturating_mul(100) / total)
    }
}
