//! "Why can't I connect?": what the connection doctor finds, as it finds it.

use egui::accesskit::Role;
use egui::{Align, Context, Key, Label, Layout, RichText, TextEdit, Ui, WidgetInfo, vec2};
use lucide_icons::Icon;

use super::{Scope, Want};
use crate::gui::{theme, widgets};
use crate::model::{Diagnosis, Finding, PeerAddress, Severity};

/// The address while it is typed.
#[derive(Default)]
pub struct DoctorDialog {
    address: String,
    pub report_copied: bool,
}

impl DoctorDialog {
    pub fn new(of: Option<&PeerAddress>) -> Self {
        Self {
            address: of.map(PeerAddress::to_string).unwrap_or_default(),
            report_copied: false,
        }
    }
}

/// Draws the dialog; `false` when it was closed.
pub fn doctor_ui(
    context: &Context,
    scope: &mut Scope,
    diagnosis: Option<&Diagnosis>,
    dialog: &mut DoctorDialog,
) -> bool {
    let texts = scope.texts;
    let mut open = true;
    let dismissed = widgets::wide_dialog(context, "doctor", |ui| {
        ui.add(Label::new(widgets::title(texts.doctor).size(theme::LARGE)).wrap());
        ui.add(Label::new(widgets::muted(ui, texts.doctor_hint)).wrap());
        ui.add_space(theme::GRID);
        address(ui, scope, dialog);
        ui.add_space(theme::GAP);
        let nothing = Vec::new();
        let findings = diagnosis.map_or(&nothing, |diagnosis| &diagnosis.findings);
        let of = diagnosis.and_then(|diagnosis| diagnosis.of.as_ref());
        part(ui, scope, texts.this_computer, findings, false);
        if let Some(of) = of {
            part(ui, scope, &of.to_string(), findings, true);
        }
        ui.add_space(theme::GAP);
        // Below what it sums up, and in sight while that grows.
        let again = widgets::button_width(ui, texts.check_again) + theme::GAP;
        let width = again + widgets::primary_width(ui, texts.done);
        let mut again = false;
        widgets::ends(
            ui,
            width,
            |ui| {
                summary(ui, scope, diagnosis);
                report_ui(ui, scope, dialog);
            },
            |ui| {
                again = widgets::button(ui, texts.check_again).clicked();
                let done = widgets::primary(ui, true, texts.done);
                if ui.memory(|memory| memory.focused().is_none()) {
                    done.request_focus();
                }
                open = !done.clicked();
            },
        );
        if again {
            scope.want(Want::Diagnose(of.cloned()));
        }
    });
    open && !dismissed
}

/// For whoever is to help.
fn report_ui(ui: &mut Ui, scope: &mut Scope, dialog: &DoctorDialog) {
    let texts = scope.texts;
    let link = widgets::link(ui, texts.copy_report);
    if link.on_hover_text(texts.copy_report_hint).clicked() {
        scope.want(Want::CopyReport);
    }
    if dialog.report_copied {
        ui.label(widgets::muted(ui, texts.report_copied));
    }
}

/// Which device is not reached; empty for this computer alone.
fn address(ui: &mut Ui, scope: &mut Scope, dialog: &mut DoctorDialog) {
    let texts = scope.texts;
    let label = ui.label(widgets::muted(ui, texts.doctor_address));
    let typed = dialog.address.trim().to_owned();
    let parsed = typed.parse::<PeerAddress>();
    let width = widgets::room_beside_button(ui, texts.doctor_check, theme::CODE_WIDTH);
    ui.horizontal_wrapped(|ui| {
        let can_check = typed.is_empty() || parsed.is_ok();
        let field = TextEdit::singleline(&mut dialog.address)
            .hint_text(texts.doctor_address_hint)
            .align(egui::Align2::LEFT_CENTER)
            .min_size(vec2(width, theme::CONTROL_HEIGHT))
            .desired_width(width);
        let response = ui.add(field).labelled_by(label.id);
        let clicked = widgets::button_if(ui, can_check, texts.doctor_check).clicked();
        let enter = response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        if (clicked || enter) && can_check {
            scope.want(Want::Diagnose(parsed.as_ref().ok().cloned()));
        }
    });
    if let Err(error) = parsed
        && !typed.is_empty()
    {
        ui.colored_label(theme::palette(ui).danger, (texts.address_error)(error));
    }
}

/// What was found about this computer, or about the other one.
fn part(ui: &mut Ui, scope: &mut Scope, title: &str, findings: &[Finding], about_peer: bool) {
    let mut findings = findings
        .iter()
        .filter(|finding| finding.is_about_peer() == about_peer)
        .peekable();
    if findings.peek().is_none() {
        return;
    }
    ui.add_space(theme::GRID);
    ui.label(widgets::strong(title));
    for finding in findings {
        finding_ui(ui, scope, finding);
    }
}

fn finding_ui(ui: &mut Ui, scope: &mut Scope, finding: &Finding) {
    let palette = theme::palette(ui);
    if finding.severity() == Severity::Problem {
        widgets::inset(ui, palette.inset, |ui| lines(ui, scope, finding));
    } else {
        lines(ui, scope, finding);
    }
}

fn lines(ui: &mut Ui, scope: &mut Scope, finding: &Finding) {
    let texts = scope.texts;
    let palette = theme::palette(ui);
    let (symbol, color) = match finding.severity() {
        Severity::Good => (Icon::Check, palette.ok),
        Severity::Note => (Icon::Info, palette.muted),
        Severity::Problem => (Icon::CircleX, palette.danger),
    };
    let word = (texts.severity)(finding.severity());
    ui.horizontal_top(|ui| {
        let mark = ui.label(widgets::icon(symbol, color));
        mark.widget_info(|| WidgetInfo::labeled(Role::Label, true, word));
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = theme::GRID;
            let sentence = (texts.finding)(finding);
            let sentence = match finding.severity() {
                Severity::Problem => widgets::strong(sentence).color(palette.text),
                Severity::Good | Severity::Note => RichText::new(sentence).color(palette.text),
            };
            ui.add(Label::new(sentence).wrap());
            if let Some(next) = (texts.finding_next)(finding) {
                ui.add(Label::new(widgets::muted(ui, next)).wrap());
            }
            commands_ui(ui, scope, finding, true);
        });
    });
}

/// Each command of a finding, with the way to copy it unless there is another one.
fn commands_ui(ui: &mut Ui, scope: &mut Scope, finding: &Finding, copied_here: bool) {
    let texts = scope.texts;
    let palette = theme::palette(ui);
    for command in finding.commands() {
        egui::Frame::new()
            .fill(palette.field)
            .stroke(egui::Stroke::new(theme::LINE, palette.border))
            .corner_radius(egui::CornerRadius::same(theme::RADIUS_CONTROL))
            .inner_margin(theme::COMMAND_MARGIN)
            .show(ui, |ui| {
                ui.set_width(ui.available_width());
                let size = vec2(ui.available_width(), theme::SECTION);
                ui.allocate_ui_with_layout(size, Layout::right_to_left(Align::Center), |ui| {
                    if copied_here {
                        let copy = widgets::link(ui, texts.copy);
                        let name = (texts.copy_command)(command);
                        widgets::named(&copy, Role::Button, &name);
                        if copy.clicked() {
                            scope.want(Want::Copy(command.clone()));
                        }
                    }
                    ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                        let text = RichText::new(command).monospace().size(theme::SMALL);
                        ui.add(Label::new(text.color(palette.text)).wrap());
                    });
                });
            });
    }
}

fn summary(ui: &mut Ui, scope: &Scope, diagnosis: Option<&Diagnosis>) {
    let texts = scope.texts;
    let palette = theme::palette(ui);
    let Some(diagnosis) = diagnosis.filter(|diagnosis| diagnosis.complete) else {
        ui.label(widgets::muted(ui, texts.looking));
        return;
    };
    let (symbol, color) = match diagnosis.problems() {
        0 => (Icon::Check, palette.ok),
        _some => (Icon::CircleX, palette.danger),
    };
    ui.label(widgets::icon(symbol, color));
    ui.colored_label(color, (texts.problems_found)(diagnosis.problems()));
}

/// In the panel of the server: what its firewall keeps out, and how to open it.
pub fn firewall_ui(ui: &mut Ui, scope: &mut Scope, findings: &[Finding]) {
    let texts = scope.texts;
    let palette = theme::palette(ui);
    let blocking = |finding: &&Finding| finding.severity() == Severity::Problem;
    let Some(finding) = findings.iter().find(blocking) else {
        return;
    };
    ui.add_space(theme::GRID);
    widgets::inset(ui, palette.warn_soft, |ui| {
        let sentence = texts.firewall_blocks;
        widgets::sentence(ui, Icon::ShieldAlert, palette.warn, sentence);
        if let Some(next) = (texts.finding_next)(finding) {
            ui.add(Label::new(RichText::new(next).color(palette.text)).wrap());
        }
        commands_ui(ui, scope, finding, false);
        ui.horizontal_wrapped(|ui| {
            if !finding.commands().is_empty()
                && widgets::button(ui, texts.copy_the_command).clicked()
            {
                scope.want(Want::Copy(finding.commands().join("\n")));
            }
            if widgets::button(ui, texts.check_again).clicked() {
                scope.want(Want::Engine(crate::engine::Command::CheckFirewall));
            }
            if widgets::link(ui, texts.more).clicked() {
                scope.want(Want::OpenDoctor(None));
            }
        });
    });
}
