//! How far something is, and how fast.

use egui::accesskit::Role;
use egui::{
    Color32, CornerRadius, Pos2, Rect, Response, Sense, Shape, Stroke, Ui, Vec2, WidgetInfo, pos2,
    vec2,
};

use crate::gui::theme::{self, palette};

/// What a screen reader takes for the end of a bar.
const ALL_PERCENT: f64 = 100.0;

/// A thin bar; `name` is what a screen reader says.
pub fn bar(ui: &mut Ui, fraction: f32, color: Color32, name: &str) -> Response {
    let width = ui.available_width();
    let size = vec2(width, theme::BAR_HEIGHT);
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    let percent = f64::from((fraction * 100.0).round());
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::ProgressIndicator, true, name);
        info.value = Some(percent);
        info
    });
    ui.ctx().accesskit_node_builder(response.id, |node| {
        node.set_min_numeric_value(0.0);
        node.set_max_numeric_value(ALL_PERCENT);
    });
    let radius = CornerRadius::same((theme::BAR_HEIGHT / 2.0) as u8);
    ui.painter().rect_filled(rect, radius, palette(ui).well);
    if fraction > 0.0 {
        let filled = (rect.width() * fraction).max(theme::BAR_HEIGHT);
        let done = Rect::from_min_size(rect.min, vec2(filled, rect.height()));
        ui.painter().rect_filled(done, radius, color);
    }
    response
}

/// Speeds over time as a small filled line; `said` is what a screen reader says of it.
pub fn plot(
    ui: &mut Ui,
    size: Vec2,
    speeds: &[u64],
    (color, soft): (Color32, Color32),
    said: &str,
) {
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    let count = speeds.len();
    let most = speeds.iter().copied().max().unwrap_or(0);
    if count < 2 || most == 0 {
        return;
    }
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, said));
    let point = |(index, speed): (usize, &u64)| -> Pos2 {
        let x = index as f32 / (count - 1) as f32;
        let y = *speed as f32 / most as f32;
        pos2(
            rect.left() + rect.width() * x,
            rect.bottom() - (rect.height() - theme::FOCUS_LINE) * y,
        )
    };
    let line: Vec<Pos2> = speeds.iter().enumerate().map(point).collect();
    let mut mesh = egui::Mesh::default();
    for (index, top) in line.iter().enumerate() {
        mesh.colored_vertex(*top, soft);
        mesh.colored_vertex(pos2(top.x, rect.bottom()), soft);
        if index > 0 {
            let at = 2 * index as u32;
            mesh.add_triangle(at - 2, at - 1, at);
            mesh.add_triangle(at - 1, at, at + 1);
        }
    }
    ui.painter().add(Shape::mesh(mesh));
    ui.painter()
        .add(Shape::line(line, Stroke::new(theme::PLOT_LINE, color)));
}
