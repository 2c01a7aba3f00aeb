//! What goes on at every connection: where it is, what it waits for and what ends the wait; and, opened,
//! how its last frames met the stream.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use egui::accesskit::Role;
use egui::{
    Align, Align2, Color32, Pos2, Rect, RichText, ScrollArea, Sense, Stroke, Ui, pos2, vec2,
};
use lucide_icons::Icon;

use super::{Scope, Want};
use crate::engine::{Flow, Frames, Phase, Purpose, Seen, What, WireConnection};
use crate::gui::format::{grouped, size};
use crate::gui::texts::WireTexts;
use crate::gui::view::WireView;
use crate::gui::{theme, widgets};

/// A wait is not worth its seconds before.
const SAY_SECONDS_FROM: u64 = 2;
/// Counting down in seconds.
const TICK: Duration = Duration::from_secs(1);

pub fn wire_ui(ui: &mut Ui, scope: &mut Scope, view: &WireView) {
    let texts = &scope.texts.wire;
    let hide = widgets::link_width(ui, texts.hide);
    let head = ui.scope(|ui| {
        widgets::ends(
            ui,
            hide,
            |ui| _ = ui.label(widgets::title(texts.title)),
            |ui| {
                if widgets::link(ui, texts.hide).clicked() {
                    scope.want(Want::ShowWire(false));
                }
            },
        );
    });
    if view.reveal {
        head.response.scroll_to_me(Some(Align::Min));
        scope.want(Want::WireRevealed);
    }
    ui.add(egui::Label::new(widgets::muted(ui, texts.about)).wrap());
    if view.connections.is_empty() {
        ui.add_space(theme::GAP);
        ui.add(egui::Label::new(widgets::muted(ui, texts.empty)).wrap());
        ui.add_space(theme::GAP);
    }
    let now = Instant::now();
    for (index, connection) in view.connections.iter().enumerate() {
        if index > 0 {
            ui.separator();
        }
        let open = view.open == Some(connection.id);
        ui.push_id(("wire", connection.id), |ui| {
            row_ui(ui, scope, connection, open, now);
        });
    }
    if view.connections.iter().any(|one| ticks(one, now)) {
        ui.ctx().request_repaint_after(TICK);
    }
}

/// A number of seconds stands in its row.
fn ticks(connection: &WireConnection, now: Instant) -> bool {
    let ahead = |at: Option<Instant>| at.is_some_and(|at| at > now);
    ahead(connection.until) || ahead(connection.dead_at) || counts_up(&connection.phase)
}

/// How long it has been so is worth knowing.
fn counts_up(phase: &Phase) -> bool {
    match phase {
        Phase::Starting
        | Phase::Listening
        | Phase::Sending(Flow::Moves)
        | Phase::Receiving(Flow::Moves)
        | Phase::Carrying
        | Phase::Talking
        | Phase::Retry(_)
        | Phase::Closed(_) => false,
        _waits => true,
    }
}

fn row_ui(ui: &mut Ui, scope: &mut Scope, one: &WireConnection, open: bool, now: Instant) {
    let texts = &scope.texts.wire;
    let palette = theme::palette(ui);
    let closed = matches!(one.phase, Phase::Closed(_));
    ui.add_space(theme::GRID);
    ui.horizontal_top(|ui| {
        if ui.available_width() >= theme::TILE_FROM {
            ui.vertical(|ui| {
                ui.add_space(theme::GRID);
                let color = if closed { palette.muted } else { palette.link };
                widgets::tile(ui, symbol(one), color);
            });
            ui.add_space(theme::GRID);
        }
        let width = ui.available_width() - theme::ROW_HEIGHT - theme::GAP;
        ui.vertical(|ui| {
            ui.set_width(width);
            ui.spacing_mut().item_spacing.y = theme::GRID;
            headline(ui, texts, one);
            phase_ui(ui, texts, one, now);
            if one.purpose != Purpose::Listen {
                counts_ui(ui, texts, one);
            }
        });
        if one.purpose != Purpose::Listen {
            let (icon, name) = match open {
                true => (Icon::ChevronUp, (texts.hide_frames)(&one.label)),
                false => (Icon::ChevronDown, (texts.show_frames)(&one.label)),
            };
            if widgets::icon_button(ui, icon, &name).clicked() {
                let id = (!open).then_some(one.id);
                scope.want(Want::OpenWire(id));
            }
        }
    });
    if open {
        ui.add_space(theme::GRID);
        frames_ui(ui, scope, one, now);
    }
    ui.add_space(theme::GRID);
}

fn symbol(one: &WireConnection) -> Icon {
    match (one.purpose, one.dialled) {
        (Purpose::Listen, _) => Icon::Radio,
        (_, true) => Icon::ArrowUpRight,
        (_, false) => Icon::ArrowDownLeft,
    }
}

fn headline(ui: &mut Ui, texts: &WireTexts, one: &WireConnection) {
    let palette = theme::palette(ui);
    let place = match one.purpose {
        Purpose::Listen => one.local.map(|addr| addr.to_string()),
        _ => one.remote.map(|addr| addr.to_string()),
    };
    let who = match (&one.peer, one.purpose) {
        (Some(name), _) => name.to_string(),
        (None, Purpose::Listen) => place.clone().unwrap_or_default(),
        (None, _) => place.clone().unwrap_or_else(|| texts.nobody_yet.into()),
    };
    let place = place.filter(|place| *place != who);
    let by = match (one.purpose, one.dialled) {
        (Purpose::Listen, _) => "",
        (_, true) => texts.dialled,
        (_, false) => texts.was_dialled,
    };
    let about = [(texts.purpose)(one.purpose), &place.unwrap_or_default(), by];
    let about: Vec<_> = about.into_iter().filter(|part| !part.is_empty()).collect();
    let font = theme::strong_font(theme::BODY);
    let about = widgets::muted(ui, about.join(" · "));
    let local = one.local.map_or_else(String::new, |addr| addr.to_string());
    let hint = format!("{} · {local}", one.label);
    if ui.available_width() < theme::BESIDE_NAME_FROM {
        let room = ui.available_width();
        widgets::name_label(ui, &who, font, palette.text, room);
        ui.add(egui::Label::new(about).wrap()).on_hover_text(hint);
        return;
    }
    ui.horizontal(|ui| {
        ui.spacing_mut().interact_size.y = theme::TEXT_LINE;
        let width = ui.available_width() * theme::NAME_SHARE;
        widgets::name_label(ui, &who, font, palette.text, width);
        let about = ui.add(egui::Label::new(about).truncate());
        about.on_hover_text(hint);
    });
}

/// `Challenge sent – waits for the answer · ends when it comes, at latest in 4 s`
fn sentence(texts: &WireTexts, one: &WireConnection, now: Instant) -> String {
    let mut sentence = (texts.phase)(&one.phase);
    let ahead = |until: Instant| until.saturating_duration_since(now).as_secs_f64().ceil() as u64;
    let latest = one.until.map(|until| match &one.phase {
        Phase::Retry(_) => (texts.tries_again)(ahead(until)),
        _waits => (texts.at_latest)(ahead(until)),
    });
    let so_far = now.saturating_duration_since(one.since).as_secs();
    let so_far = (latest.is_none() && counts_up(&one.phase) && so_far >= SAY_SECONDS_FROM)
        .then(|| (texts.for_seconds)(so_far));
    let ends = Some((texts.ends)(&one.phase).to_owned()).filter(|ends| !ends.is_empty());
    let ends: Vec<_> = ends.into_iter().chain(latest).collect();
    if !ends.is_empty() {
        sentence = format!("{sentence} · {}", ends.join(texts.comma));
    }
    if let Some(so_far) = so_far {
        sentence = format!("{sentence} · {so_far}");
    }
    sentence
}

fn phase_ui(ui: &mut Ui, texts: &WireTexts, one: &WireConnection, now: Instant) {
    let palette = theme::palette(ui);
    let color = match &one.phase {
        Phase::Sending(Flow::Moves) | Phase::Receiving(Flow::Moves) | Phase::Carrying => palette.ok,
        Phase::Held(_) | Phase::Retry(_) => palette.warn,
        Phase::Closed(_) => palette.muted,
        _waits => palette.text,
    };
    let sentence = RichText::new(sentence(texts, one, now)).color(color);
    ui.add(egui::Label::new(sentence).wrap());
    if let Some(dead_at) = one.dead_at {
        let left = dead_at.saturating_duration_since(now).as_secs();
        let quiet = RichText::new((texts.quiet)(left)).color(palette.warn);
        ui.add(egui::Label::new(quiet).wrap());
    }
}

fn counts_ui(ui: &mut Ui, texts: &WireTexts, one: &WireConnection) {
    let counts = &one.counts;
    let out = (texts.went_out)(
        &grouped(counts.frames_out),
        &size(counts.bytes_out),
        &grouped(counts.writes),
    );
    let came = (texts.came_in)(
        &grouped(counts.frames_in),
        &size(counts.bytes_in),
        &grouped(counts.reads),
    );
    widgets::flow(ui, |ui| {
        ui.spacing_mut().item_spacing = vec2(theme::SECTION, 0.0);
        for line in [out, came] {
            let fits = widgets::text_width(ui, &line) <= ui.max_rect().width();
            let line = egui::Label::new(widgets::muted(ui, line).size(theme::SMALL));
            ui.add(if fits { line.extend() } else { line.wrap() });
        }
    });
}

fn frames_ui(ui: &mut Ui, scope: &mut Scope, one: &WireConnection, now: Instant) {
    let texts = &scope.texts.wire;
    let palette = theme::palette(ui);
    widgets::inset(ui, palette.inset, |ui| {
        if one.seen.is_empty() {
            ui.add(egui::Label::new(widgets::muted(ui, texts.no_frames)).wrap());
            return;
        }
        let together = Together::of(&one.seen);
        let height = theme::WIRE_LINE;
        ui.spacing_mut().item_spacing.y = 0.0;
        let area = ScrollArea::vertical()
            .id_salt("frames")
            .max_height(theme::FRAMES_HEIGHT)
            .min_scrolled_height(theme::FRAMES_HEIGHT)
            .auto_shrink([false, true])
            .stick_to_bottom(true);
        if ui.available_width() < theme::WIRE_BYTES {
            // No room for columns: as it is read out.
            area.show(ui, |ui| {
                for (index, seen) in one.seen.iter().enumerate() {
                    let line = line(texts, seen, &together, index);
                    let line = RichText::new(line).size(theme::SMALL).color(palette.text);
                    ui.add(egui::Label::new(line).wrap());
                    ui.add_space(theme::GRID / 2.0);
                }
            });
        } else {
            area.show_rows(ui, height, one.seen.len(), |ui, range| {
                for index in range {
                    if let Some(seen) = one.seen.get(index) {
                        line_ui(ui, texts, seen, &together, index);
                    }
                }
            });
        }
        ui.add_space(theme::GAP);
        let copy = widgets::button(ui, texts.copy);
        widgets::named(&copy, Role::Button, &(texts.frames_of)(&one.label));
        if copy.clicked() {
            scope.want(Want::Copy(as_text(texts, one, now)));
        }
    });
}

/// Which lines came by one read, or went by one write.
struct Together(HashMap<(bool, u64), Group>);

#[derive(Clone, Copy)]
struct Group {
    first: usize,
    last: usize,
    frames: u64,
}

impl Together {
    fn of(seen: &[Seen]) -> Self {
        let mut groups = HashMap::new();
        for (index, seen) in seen.iter().enumerate() {
            if let What::Frames(frames) = &seen.what
                && frames.count == 1
            {
                let group = groups.entry((frames.out, frames.last_call));
                let group = group.or_insert(Group {
                    first: index,
                    last: index,
                    frames: 0,
                });
                group.last = index;
                group.frames += 1;
            }
        }
        groups.retain(|_, group| group.frames > 1);
        Self(groups)
    }

    fn at(&self, frames: &Frames) -> Option<Group> {
        let alone = frames.count > 1;
        let group = self.0.get(&(frames.out, frames.last_call));
        group.filter(|_| !alone).copied()
    }

    /// What is said beside a line about how it met the stream; about a group in its middle.
    fn said(&self, texts: &WireTexts, frames: &Frames, index: usize) -> Option<String> {
        let group = self.at(frames);
        let middle = group.is_some_and(|group| index == group.first.midpoint(group.last + 1));
        match group {
            Some(group) if middle && frames.out => Some((texts.in_one_write)(group.frames)),
            Some(group) if middle => Some((texts.in_one_read)(group.frames)),
            _ if frames.calls == 1 => None,
            _ if frames.out => Some((texts.in_writes)(&grouped(frames.calls))),
            _ => Some((texts.in_reads)(&grouped(frames.calls))),
        }
    }
}

/// `← 0x23 credit`, and how many of them.
fn what(frames: &Frames) -> String {
    match frames.count {
        1 => frames.name.to_owned(),
        count => format!("{} ×{}", frames.name, grouped(count)),
    }
}

fn length(texts: &WireTexts, frames: &Frames) -> String {
    match frames.count {
        1 => (texts.bytes)(&grouped(frames.bytes)),
        _ => size(frames.bytes),
    }
}

fn arrow(frames: &Frames) -> &'static str {
    if frames.out { "→" } else { "←" }
}

fn time(at: Duration) -> String {
    // As much as the column holds.
    let places = if at.as_secs() < 1000 { 3 } else { 1 };
    format!("+{:.places$}", at.as_secs_f64())
}

/// One line as text, for the clipboard and for who cannot see it.
fn line(texts: &WireTexts, seen: &Seen, together: &Together, index: usize) -> String {
    let at = time(seen.at);
    match &seen.what {
        What::Phase(phase) => format!("{at}   {}", (texts.phase)(phase)),
        What::Frames(frames) => {
            let (arrow, kind) = (arrow(frames), frames.kind);
            let (what, length) = (what(frames), length(texts, frames));
            let said = together.said(texts, frames, index);
            let said = said.map(|said| format!(" · {said}")).unwrap_or_default();
            format!("{at} {arrow} 0x{kind:02x} {what} {length}{said}")
        }
    }
}

fn as_text(texts: &WireTexts, one: &WireConnection, now: Instant) -> String {
    let together = Together::of(&one.seen);
    let shown = |addr: Option<std::net::SocketAddr>| addr.map_or("?".into(), |a| a.to_string());
    let peer = one.peer.as_ref().map_or("?", |name| name.as_str());
    let arrow = if one.dialled { "→" } else { "←" };
    let (local, remote) = (shown(one.local), shown(one.remote));
    let head = format!("{} {peer} {local} {arrow} {remote}", one.label);
    let lines = one.seen.iter().enumerate();
    let lines = lines.map(|(index, seen)| line(texts, seen, &together, index));
    let head = [head, sentence(texts, one, now)].into_iter();
    head.chain(lines).collect::<Vec<_>>().join("\n")
}

fn line_ui(ui: &mut Ui, texts: &WireTexts, seen: &Seen, together: &Together, index: usize) {
    let palette = theme::palette(ui);
    let size = vec2(ui.available_width(), theme::WIRE_LINE);
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    widgets::named(&response, Role::Label, &line(texts, seen, together, index));
    let font = theme::mono_font();
    let painter = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
    let text = |x: f32, align: Align2, words: &str, color: Color32| {
        let at = pos2(rect.left() + x, rect.center().y);
        painter.text(at, align, words, font.clone(), color);
    };
    text(
        theme::WIRE_TIME,
        Align2::RIGHT_CENTER,
        &time(seen.at),
        palette.muted,
    );
    let frames = match &seen.what {
        What::Frames(frames) => frames,
        What::Phase(phase) => {
            // A word of ours between theirs.
            let at = pos2(rect.left() + theme::WIRE_ARROW, rect.center().y);
            let words = (texts.phase)(phase);
            painter.text(
                at,
                Align2::LEFT_CENTER,
                words,
                theme::small_font(),
                palette.muted,
            );
            return;
        }
    };
    let color = if frames.out { palette.link } else { palette.ok };
    text(theme::WIRE_ARROW, Align2::LEFT_CENTER, arrow(frames), color);
    let kind = format!("0x{:02x}", frames.kind);
    text(theme::WIRE_KIND, Align2::LEFT_CENTER, &kind, palette.muted);
    text(
        theme::WIRE_NAME,
        Align2::LEFT_CENTER,
        &what(frames),
        palette.text,
    );
    let bytes = length(texts, frames);
    // What is said behind them has room in a narrow window, too.
    let bytes_end = theme::WIRE_BYTES.min(rect.width() - theme::WIRE_SAID);
    text(bytes_end, Align2::RIGHT_CENTER, &bytes, palette.text);
    let from = rect.left() + bytes_end + theme::SECTION;
    if let Some(group) = together.at(frames) {
        bracket(ui, rect, from, group, index, color);
    }
    if let Some(said) = together.said(texts, frames, index) {
        let at = pos2(from + theme::GAP + theme::GRID, rect.center().y);
        painter.text(at, Align2::LEFT_CENTER, said, theme::small_font(), color);
    }
}

/// The part of a bracket that stands beside one line.
fn bracket(ui: &Ui, rect: Rect, x: f32, group: Group, index: usize, color: Color32) {
    let stroke = Stroke::new(theme::LINE, color);
    let inset = theme::GRID;
    let top = rect.top() + if index == group.first { inset } else { 0.0 };
    let bottom = rect.bottom() - if index == group.last { inset } else { 0.0 };
    let right = x + theme::GRID;
    let line = |from: Pos2, to: Pos2| ui.painter().line_segment([from, to], stroke);
    line(pos2(right, top), pos2(right, bottom));
    if index == group.first {
        line(pos2(x, top), pos2(right, top));
    }
    if index == group.last {
        line(pos2(x, bottom), pos2(right, bottom));
    }
}
