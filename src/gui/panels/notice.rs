//! Sentences about something that is nobody's row, above everything that scrolls.

use egui::{Color32, Frame, Margin, Ui};
use lucide_icons::Icon;

use super::{Scope, Want};
use crate::gui::view::{Notice, View};
use crate::gui::{theme, widgets};
use crate::model::{DeviceId, displayable};

pub fn notices_ui(ui: &mut Ui, scope: &mut Scope, view: &View) {
    if view.wishes.is_empty() && view.notice.is_none() {
        return;
    }
    let margin = Margin {
        top: 0,
        bottom: theme::HEADER_MARGIN,
        ..Margin::same(theme::WINDOW_MARGIN)
    };
    Frame::new().inner_margin(margin).show(ui, |ui| {
        for peer in &view.wishes {
            if let Some(device) = peer.device_id {
                ui.push_id(device, |ui| {
                    wish_ui(ui, scope, device, peer.name.as_str());
                });
            }
        }
        if let Some(notice) = &view.notice {
            notice_ui(ui, scope, notice);
        }
    });
}

fn bar(ui: &mut Ui, symbol: Icon, front: Color32, soft: Color32, content: impl FnOnce(&mut Ui)) {
    widgets::inset(ui, soft, |ui| {
        ui.horizontal_wrapped(|ui| {
            ui.label(widgets::icon(symbol, front));
            content(ui);
        });
    });
}

fn wish_ui(ui: &mut Ui, scope: &mut Scope, device: DeviceId, name: &str) {
    let texts = scope.texts;
    let palette = theme::palette(ui);
    bar(
        ui,
        Icon::UserPlus,
        palette.link,
        palette.accent_soft,
        |ui| {
            ui.colored_label(palette.text, (texts.wants_to_be_remembered)(name));
            for (word, remember) in [(texts.remember, true), (texts.no, false)] {
                if widgets::button(ui, word).clicked() {
                    scope.want(Want::AnswerWish(device, remember));
                }
            }
        },
    );
}

fn notice_ui(ui: &mut Ui, scope: &mut Scope, notice: &Notice) {
    let palette = theme::palette(ui);
    let texts = scope.texts;
    let path = |path: &std::path::Path| displayable(&path.to_string_lossy());
    let sentence = match notice {
        Notice::CommandFailed(what, problem) => {
            (texts.command_failed)(&path(what), &(texts.problem)(problem))
        }
        Notice::ListSaved(to) => (texts.list_saved)(&path(to)),
        Notice::ListNotSaved(to, problem) => {
            (texts.list_not_saved)(&path(to), &(texts.problem)(problem))
        }
        Notice::Paired(name) => (texts.paired)(name.as_str()),
        Notice::Blocked(_, name) => (texts.blocked)(name.as_str()),
        Notice::NotSaved(why) => (texts.settings_not_saved)(why),
        Notice::NotRead(why) => (texts.settings_not_read)(why),
        Notice::DevicesNotRead(why) => (texts.devices_not_read)(why),
        Notice::ConversationsNotRead(why) => (texts.talks_not_read)(why),
    };
    let (front, soft, symbol) = match notice {
        Notice::ListSaved(_) | Notice::Paired(_) => (palette.ok, palette.ok_soft, Icon::Check),
        Notice::Blocked(..) => (palette.warn, palette.warn_soft, Icon::Ban),
        Notice::CommandFailed(..)
        | Notice::ListNotSaved(..)
        | Notice::NotSaved(_)
        | Notice::NotRead(_)
        | Notice::DevicesNotRead(_)
        | Notice::ConversationsNotRead(_) => (palette.warn, palette.warn_soft, Icon::TriangleAlert),
    };
    bar(ui, symbol, front, soft, |ui| {
        ui.colored_label(front, sentence);
        if let Notice::Blocked(device, _) = notice
            && widgets::link(ui, texts.undo).clicked()
        {
            scope.want(Want::Unblock(*device));
        }
        if widgets::link(ui, texts.done).clicked() {
            scope.want(Want::DismissNotice);
        }
    });
}
