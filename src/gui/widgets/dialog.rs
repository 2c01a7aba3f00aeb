//! Dialogs over everything else.

use egui::{
    Context, CornerRadius, Frame, Id, Key, Margin, Modal, ModalResponse, Modifiers, ScrollArea, Ui,
};

use crate::gui::theme;

/// A dialog over everything else. Says whether it was dismissed: Escape, or a click beside it.
pub fn dialog(context: &Context, id: &str, content: impl FnOnce(&mut Ui)) -> bool {
    modal(context, id, theme::DIALOG_WIDTH, content).should_close()
}

/// The same, for what would be hard to read in a narrow one.
pub fn wide_dialog(context: &Context, id: &str, content: impl FnOnce(&mut Ui)) -> bool {
    modal(context, id, theme::WIDE_DIALOG, content).should_close()
}

/// A dialog that a click beside it does not end. Says whether Escape was pressed.
pub fn firm_dialog(context: &Context, id: &str, content: impl FnOnce(&mut Ui)) -> bool {
    let response = modal(context, id, theme::DIALOG_WIDTH, content);
    response.is_top_modal
        && !response.any_popup_open
        && context.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape))
}

fn modal(
    context: &Context,
    id: &str,
    width: f32,
    content: impl FnOnce(&mut Ui),
) -> ModalResponse<()> {
    let frame = Frame::popup(&context.global_style())
        .corner_radius(CornerRadius::same(theme::RADIUS_DIALOG))
        .inner_margin(Margin::same(theme::dialog_padding(context)));
    let modal = Modal::new(Id::unique(id)).frame(frame);
    // A window may be smaller than a dialog is.
    let room = theme::dialog_room(context);
    let height = room.y;
    modal.show(context, |ui| {
        ui.set_width(width.min(room.x));
        ScrollArea::vertical()
            .max_height(height)
            .min_scrolled_height(height)
            .show(ui, content);
    })
}
