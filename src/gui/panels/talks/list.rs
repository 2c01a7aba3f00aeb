//! With whom: conversations, the latest first, and whoever one could be begun with.

use std::collections::{HashMap, HashSet};

use egui::{
    Align2, CornerRadius, ScrollArea, Sense, Stroke, StrokeKind, Ui, WidgetInfo, accesskit::Role,
    pos2, vec2,
};
use lucide_icons::Icon;

use super::lines;
use crate::engine::Talk;
use crate::gui::format::elide_middle;
use crate::gui::panels::destination::{about, symbol};
use crate::gui::panels::{Scope, Want};
use crate::gui::view::talks::Thread;
use crate::gui::view::{Card, View};
use crate::gui::{theme, widgets};
use crate::model::{DeviceId, Said, System};

pub fn list_ui(ui: &mut Ui, scope: &mut Scope, view: &View, cards: &[Card]) {
    let texts = scope.texts;
    let names = Names::of(&view.talks.threads, cards);
    ui.label(widgets::title(texts.talks));
    // Beside a conversation, that says so.
    let alone = ui.available_width() > theme::TALKS_WIDTH;
    let anybody = !view.talks.threads.is_empty() || !cards.is_empty();
    if alone && anybody {
        ui.add(egui::Label::new(widgets::muted(ui, texts.talks_pick)).wrap());
    }
    ui.add_space(theme::GRID);
    ScrollArea::vertical()
        .id_salt("talks")
        .auto_shrink([false, false])
        .show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = theme::GRID;
            for thread in &view.talks.threads {
                let card = cards.iter().find(|card| card.id == thread.with);
                let twin = names.is_twin(thread.with, name_of(thread, card));
                thread_row(ui, scope, view, thread, card, twin);
            }
            let talked = |card: &&Card| view.talks.threads.iter().all(|one| one.with != card.id);
            let others: Vec<_> = cards.iter().filter(talked).collect();
            if !others.is_empty() && !view.talks.threads.is_empty() {
                ui.add_space(theme::GAP);
            }
            if !others.is_empty() {
                ui.label(widgets::muted(ui, texts.devices));
            } else if view.talks.threads.is_empty() {
                let words = widgets::muted(ui, texts.talks_nobody);
                ui.add(egui::Label::new(words).wrap());
            }
            for card in others {
                let row = PersonRow {
                    symbol: symbol(card.system),
                    name: &card.name,
                    line: about(texts, card),
                    states: true,
                    unread: 0,
                    chosen: view.talks.open == Some(card.id),
                    open: false,
                };
                if person_row(ui, scope, &row) {
                    scope.want(Want::ShowTalk(Some(card.id)));
                }
            }
        });
}

fn thread_row(
    ui: &mut Ui,
    scope: &mut Scope,
    view: &View,
    thread: &Thread,
    card: Option<&Card>,
    twin: bool,
) {
    let texts = scope.texts;
    let last = thread.lines.last();
    let states = last.is_none() && !twin;
    let line = match last.map(|line| &line.what) {
        Some(Said::Text { text, .. }) => lines::one_line(text),
        Some(Said::Transfer(transfer)) => transfer.names.join(texts.picks_between),
        None => card.map(|card| about(texts, card)).unwrap_or_default(),
    };
    let line = match twin {
        true => format!("{} · {line}", thread.with.short()),
        false => line,
    };
    let row = PersonRow {
        symbol: symbol(card.map_or(System::Other, |card| card.system)),
        name: name_of(thread, card),
        line,
        states,
        unread: thread.unread,
        chosen: view.talks.open == Some(thread.with),
        open: thread.state == Some(Talk::Open),
    };
    if person_row(ui, scope, &row) {
        scope.want(Want::ShowTalk(Some(thread.with)));
    }
}

/// As it is called here, or as it called itself last.
pub fn name_of<'a>(thread: &'a Thread, card: Option<&'a Card>) -> &'a str {
    card.map_or(thread.name.as_str(), |card| card.name.as_str())
}

/// Who is called what: of devices of one name, each has to say which one it is.
pub struct Names(HashMap<String, HashSet<DeviceId>>);

impl Names {
    pub fn of(threads: &[Thread], cards: &[Card]) -> Self {
        let mut names: HashMap<_, HashSet<_>> = HashMap::new();
        for card in cards {
            names
                .entry(card.name.to_lowercase())
                .or_default()
                .insert(card.id);
        }
        for thread in threads {
            let card = cards.iter().find(|card| card.id == thread.with);
            let name = name_of(thread, card).to_lowercase();
            names.entry(name).or_default().insert(thread.with);
        }
        Self(names)
    }

    pub fn is_twin(&self, id: DeviceId, name: &str) -> bool {
        let called_so = self.0.get(&name.to_lowercase());
        called_so.is_some_and(|ids| ids.iter().any(|other| *other != id))
    }
}

struct PersonRow<'a> {
    symbol: Icon,
    name: &'a str,
    line: String,
    /// The line is how it stands with it.
    states: bool,
    unread: usize,
    chosen: bool,
    /// Connected now.
    open: bool,
}

fn person_row(ui: &mut Ui, scope: &Scope, row: &PersonRow) -> bool {
    let size = vec2(ui.available_width(), theme::DEVICE_HEIGHT);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    let called = match row.unread {
        0 => row.name.to_owned(),
        unread => format!("{}, {}", row.name, (scope.texts.talks_unread)(unread)),
    };
    response.widget_info(|| WidgetInfo::selected(Role::ListItem, true, row.chosen, &called));
    ui.ctx().accesskit_node_builder(response.id, |node| {
        node.set_description(row.line.as_str());
    });
    let palette = theme::palette(ui);
    let radius = CornerRadius::same(theme::RADIUS_CARD);
    let fill = match row.chosen || response.hovered() {
        true => palette.accent_soft,
        false => palette.inset,
    };
    ui.painter().rect_filled(rect, radius, fill);
    if row.chosen {
        let stroke = Stroke::new(theme::LINE, palette.link);
        ui.painter()
            .rect_stroke(rect, radius, stroke, StrokeKind::Inside);
    }
    let center = pos2(rect.left() + theme::DEVICE_ICON, rect.center().y);
    let icons = egui::FontId::new(theme::ICON, theme::icons());
    let color = if row.chosen {
        palette.link
    } else {
        palette.muted
    };
    let painter = ui.painter();
    painter.text(
        center,
        Align2::CENTER_CENTER,
        char::from(row.symbol),
        icons,
        color,
    );
    if row.open {
        let at = center + egui::Vec2::splat(theme::PRESENCE_OFFSET);
        painter.circle_filled(at, theme::GRID, palette.ok);
    }
    let left = rect.left() + theme::DEVICE_ICON * 2.0 - theme::GRID;
    let mut right = rect.right() - theme::GAP;
    if row.unread > 0 {
        let words = painter.layout_no_wrap(
            row.unread.to_string(),
            theme::small_font(),
            palette.on_accent,
        );
        let badge = words.size() + theme::COUNT_PADDING * 2.0;
        let min = pos2(right - badge.x, rect.center().y - badge.y / 2.0);
        let round = CornerRadius::same(u8::MAX);
        painter.rect_filled(egui::Rect::from_min_size(min, badge), round, palette.accent);
        let inner = min + (badge - words.size()) / 2.0;
        painter.galley(inner, words, palette.on_accent);
        right -= badge.x + theme::GAP;
    }
    let line = |text: &str, font: egui::FontId, color, y: f32, align: Align2| {
        let fits = |text: &str| {
            let galley = painter.layout_no_wrap(text.to_owned(), font.clone(), color);
            galley.size().x <= right - left
        };
        let shown = match row.states && text == row.line {
            true => widgets::first_states(text, fits),
            false => elide_middle(text, fits),
        };
        painter.text(pos2(left, y), align, shown, font, color);
    };
    let middle = rect.center().y;
    let strong = theme::strong_font(theme::BODY);
    line(row.name, strong, palette.text, middle, Align2::LEFT_BOTTOM);
    let small = theme::small_font();
    line(
        &row.line,
        small,
        palette.muted,
        middle + theme::LINE,
        Align2::LEFT_TOP,
    );
    widgets::focus_ring(ui, &response);
    response
        .on_hover_cursor(egui::CursorIcon::PointingHand)
        .clicked()
}
