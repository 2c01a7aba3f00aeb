//! What reaches the window by other ways than its own controls: a later start, the clipboard, notifications,
//! and the button that closes it.

use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use egui::{Context, UserAttentionType, ViewportCommand};

use super::{App, ModalState, Page};
use crate::engine::{Answer, Event};
use crate::gui::clipboard::{self, Clip, NoPicture};
use crate::gui::keys;
use crate::gui::notify::{Act, Heard, Order, Topic, Watch, may_accept};
use crate::gui::panels::{Want, closing};
use crate::gui::paste::Pastes;
use crate::gui::spoken::Spoken;
use crate::gui::view::{Notice, Server};
use crate::instance::Handover;
use crate::model::{DeviceId, TransferId};
use crate::settings::OnClose;

/// Anybody on the network can say a call, without a proof and as often as they like.
const CALLS_DISTURB_EVERY: Duration = Duration::from_secs(60);

/// What comes in and goes out here; a test owns the far ends.
pub struct Hands {
    /// What later starts bring.
    pub handed: Option<Receiver<Handover>>,
    /// Shows notifications; without it there are none.
    pub order: Option<Box<dyn Fn(Order)>>,
    /// What becomes of them.
    pub heard: Option<Receiver<Heard>>,
    pub read_clipboard: clipboard::Read,
    /// A person looks at the window, as far as the system tells.
    pub in_front: bool,
    /// This system can hide a window and show it again.
    pub can_hide: bool,
    pastes: Pastes,
    watch: Watch,
    spoken: Spoken,
    /// Goes to the device that is chosen next.
    pub(super) text: Option<String>,
    hidden: bool,
    /// It was hidden already when this frame began.
    was_hidden: bool,
    quits: bool,
    /// When the window last came forward, or asked for attention, for a call alone.
    disturbed: Option<Instant>,
    zoom: Option<u16>,
}

impl Default for Hands {
    fn default() -> Self {
        Self {
            handed: None,
            order: None,
            heard: None,
            read_clipboard: clipboard::read,
            in_front: true,
            can_hide: true,
            pastes: Pastes::default(),
            watch: Watch::default(),
            spoken: Spoken::default(),
            text: None,
            hidden: false,
            was_hidden: false,
            quits: false,
            disturbed: None,
            zoom: None,
        }
    }
}

impl App {
    /// The window is not there to be seen: nothing is drawn.
    pub fn is_hidden(&self) -> bool {
        self.hands.hidden
    }

    /// Also in the frame that hides it: a desktop may fade its last picture out.
    pub(super) fn is_drawn(&self) -> bool {
        !(self.hands.hidden && self.hands.was_hidden)
    }

    /// Before the view has it.
    pub(super) fn watch(&mut self, event: &Event) {
        if !self.hands.in_front {
            self.hands.watch.hear(event, &self.view, self.texts);
        }
    }

    /// Also while the window is hidden or minimised: what came from outside, what the desktop is to be told,
    /// and the closing of the window, which task bars offer for a window that is not drawn.
    pub fn attend(&mut self, context: &Context) {
        // Not in a further pass of the frame that hides it.
        if context.current_pass_index() == 0 {
            self.hands.was_hidden = self.hands.hidden;
        }
        let handed = self.hands.handed.as_ref();
        let handed: Vec<_> = handed
            .map(|handed| handed.try_iter().collect())
            .unwrap_or_default();
        for handover in handed {
            if !handover.paths.is_empty() {
                self.show_transfers();
            }
            handover.paths.into_iter().for_each(|path| self.add(path));
            self.show(context);
        }
        if let Some((talk, clip)) = self.hands.pastes.poll() {
            self.paste(talk, clip, context);
        }
        let heard = self.hands.heard.as_ref();
        let heard: Vec<_> = heard
            .map(|heard| heard.try_iter().collect())
            .unwrap_or_default();
        for heard in heard {
            match heard {
                Heard::Act(act) => self.act(act, context),
                // What nobody sees is what nobody answers.
                Heard::NotShown => self.show_for_answers(context),
            }
        }
        self.heed_saver(context);
        self.announce(context);
        self.close_request(context);
    }

    fn announce(&mut self, context: &Context) {
        let wanted = !self.hands.in_front && self.settings.notify;
        let orders = self.hands.watch.look(&self.view, self.texts, wanted);
        let offered = |order: &Order| matches!(order, Order::Show(Topic::Offers, _));
        if orders.iter().any(offered) && !self.hands.hidden && self.may_disturb() {
            let attention = UserAttentionType::Informational;
            context.send_viewport_cmd(ViewportCommand::RequestUserAttention(attention));
        }
        match &self.hands.order {
            Some(order) => orders.into_iter().for_each(order),
            None if orders.iter().any(offered) => self.show_for_answers(context),
            None => {}
        }
        if self.hands.hidden && !self.settings.notify {
            self.show_for_answers(context);
        }
    }

    fn show_for_answers(&mut self, context: &Context) {
        if self.hands.hidden && self.may_disturb() {
            self.show(context);
        }
    }

    /// Somebody waits for an answer. A call has proven nothing, and is worth a look now and then.
    fn may_disturb(&mut self) -> bool {
        if self.view.waits() {
            return true;
        }
        let calls = self.view.calls().next().is_some();
        let last = self.hands.disturbed.map(|at| at.elapsed());
        let may = calls && last.is_none_or(|last| last >= CALLS_DISTURB_EVERY);
        if may {
            self.hands.disturbed = Some(Instant::now());
        }
        may
    }

    fn act(&mut self, act: Act, context: &Context) {
        match act {
            Act::Show => self.show(context),
            Act::ShowTalk(device) => {
                self.show(context);
                self.fulfil(Want::ShowTalk(Some(device)), context, None);
            }
            Act::Accept(transfer) => {
                let mut offers = self.view.offers.iter();
                match offers.find(|offer| offer.transfer == transfer) {
                    Some(offer) if may_accept(offer) => {
                        let answer = Answer::Accept {
                            folder: None,
                            on_conflict: None,
                            remember: false,
                        };
                        self.fulfil(Want::Answer(transfer, answer), context, None);
                    }
                    // It has changed since: the person sees it first.
                    Some(_) => self.show(context),
                    None => {}
                }
            }
            Act::Decline(transfer) => self.decline(transfer, context),
        }
    }

    fn decline(&mut self, transfer: TransferId, context: &Context) {
        if self
            .view
            .offers
            .iter()
            .any(|offer| offer.transfer == transfer)
        {
            self.fulfil(Want::Answer(transfer, Answer::Decline), context, None);
        }
    }

    /// To the front, wherever it was.
    pub(super) fn show(&mut self, context: &Context) {
        self.hands.hidden = false;
        context.send_viewport_cmd(ViewportCommand::Visible(true));
        context.send_viewport_cmd(ViewportCommand::Minimized(false));
        context.send_viewport_cmd(ViewportCommand::Focus);
        context.request_repaint();
    }

    fn hide(&mut self, context: &Context) {
        if self.hands.can_hide {
            self.hands.hidden = true;
            self.hands.in_front = false;
            context.send_viewport_cmd(ViewportCommand::Visible(false));
        } else {
            // It would be gone for good: where it cannot be shown again it is only made small.
            context.send_viewport_cmd(ViewportCommand::Minimized(true));
        }
    }

    /// Ends the program, whatever is going on: what runs goes on next time.
    pub(in crate::gui) fn quit(&mut self, context: &Context) {
        self.hands.quits = true;
        context.send_viewport_cmd(ViewportCommand::Close);
    }

    /// Asks first if something runs.
    pub(super) fn want_quit(&mut self, context: &Context) {
        if self.view.active() > 0 {
            self.modal = Some(ModalState::Quit);
        } else {
            self.quit(context);
        }
    }

    fn close_request(&mut self, context: &Context) {
        let asked = context.input(|input| input.viewport().close_requested());
        if !asked || self.hands.quits || self.hands.hidden {
            return;
        }
        let running = self.view.active() > 0;
        let receives = matches!(self.view.server, Server::On(_) | Server::Starting);
        let (stays, asks) = match self.settings.on_close {
            OnClose::Background => (running || receives, false),
            OnClose::Quit => (running, running),
            OnClose::Ask => (running || receives, true),
        };
        if !stays {
            return;
        }
        // In the same frame, or the window is gone.
        context.send_viewport_cmd(ViewportCommand::CancelClose);
        if asks {
            self.modal = Some(ModalState::Quit);
            // A question nobody sees is one nobody answers.
            self.show(context);
        } else {
            self.hide(context);
        }
    }

    pub(super) fn closing(&mut self, context: &Context) {
        let running = self.view.active();
        let Some(answer) = closing::closing_ui(context, self.texts, running, self.hands.can_hide)
        else {
            return;
        };
        self.modal = None;
        // Asked about the server alone, it is asked once.
        let kept = match answer {
            closing::Answer::Hide => Some(OnClose::Background),
            closing::Answer::Quit => Some(OnClose::Quit),
            closing::Answer::Stay => None,
        };
        if let Some(kept) = kept
            && running == 0
            && self.settings.on_close == OnClose::Ask
        {
            self.settings.on_close = kept;
            self.save();
        }
        match answer {
            closing::Answer::Hide => self.hide(context),
            closing::Answer::Quit => self.quit(context),
            closing::Answer::Stay => {}
        }
    }

    pub(super) fn pastes(&mut self, context: &Context) {
        let busy = self.modal.is_some() || !self.view.questions.is_empty();
        let read = self.hands.read_clipboard;
        let talk = self.view.talks.open.filter(|_| self.page == Page::Talks);
        self.hands.pastes.look(read, talk, busy, context);
    }

    pub(super) fn paste_picture(&mut self, device: DeviceId, context: &Context) {
        let read = self.hands.read_clipboard;
        self.hands.pastes.picture(device, read, context);
    }

    /// `talk`: the conversation it was pasted into.
    fn paste(&mut self, talk: Option<DeviceId>, clip: Clip, context: &Context) {
        match (clip, talk) {
            (Clip::Files(paths), Some(device)) => self.send_in_talk(device, paths),
            (Clip::Files(paths), None) => self.take_for_list(paths),
            (Clip::Picture(bytes), Some(device)) => self.stash(bytes, Some(device)),
            (Clip::Picture(bytes), None) => {
                self.fulfil(Want::ShowTransfers, context, None);
                self.stash(bytes, None);
            }
            (Clip::Text(text), open) => {
                self.hands.text = Some(text);
                let chosen = self.view.draft.chosen.as_ref().map(|chosen| chosen.id);
                self.fulfil(Want::ShowTalk(open.or(chosen)), context, None);
                if self.hands.text.is_some() {
                    self.view.tell(Notice::TextPasted);
                }
            }
            (Clip::Nothing(why), Some(device)) => {
                self.view.talks.no_picture(device, Some(why));
            }
            (Clip::Nothing(why), None) => self.view.tell(Notice::NotPasted(why)),
        }
    }

    /// It could not be kept.
    pub(super) fn not_stashed(&mut self, problem: crate::model::Problem) {
        self.view
            .tell(Notice::NotPasted(NoPicture::Problem(problem)));
    }

    /// Pasted text goes where the person writes next.
    pub(super) fn fill_in_text(&mut self, with: DeviceId) {
        if let Some(thread) = self.view.talks.thread(with)
            && let Some(text) = self.hands.text.take()
        {
            thread.text.push_str(&text);
            self.view
                .notices
                .retain(|notice| *notice != Notice::TextPasted);
        }
    }

    /// For who listens to the window.
    pub(super) fn speak(&mut self, ui: &egui::Ui) {
        if ui.ctx().current_pass_index() == 0 {
            self.hands.spoken.begin();
        }
        self.hands.spoken.look(&self.view, self.texts);
        self.hands.spoken.ui(ui);
    }

    /// The size of text, by the keys and by the setting.
    pub(super) fn zoom(&mut self, context: &Context) {
        let percent = keys::zoomed(context, self.settings.zoom_percent);
        if percent != self.settings.zoom_percent {
            self.settings.zoom_percent = percent;
            self.save();
        }
        let applied = self.hands.zoom.unwrap_or(keys::USUAL_ZOOM);
        if percent != applied {
            context.set_zoom_factor(f32::from(percent) / f32::from(keys::USUAL_ZOOM));
        }
        if self.hands.zoom.is_none() {
            // It is ours, so that it is kept with the other settings.
            context.options_mut(|options| options.zoom_with_keyboard = false);
        }
        self.hands.zoom = Some(percent);
    }
}
