//! Tab goes as the eye goes. egui goes as widgets were drawn, and what stands at the right end of a line is
//! drawn from there.

use egui::{Context, Event, FocusDirection, Id, Key, Rect};

/// Moves the keyboard for a Tab that was pressed, before anything is drawn. By one control in a picture: what
/// is further on in a long list is drawn only as the keyboard comes near it.
pub fn move_focus(context: &Context) {
    // A further pass of one picture draws nothing that was out of sight before.
    if context.current_pass_index() > 0 {
        return;
    }
    let left = Id::unique("tabs left");
    let steps: isize = context.input(|input| {
        let steps = input.events.iter().map(|event| match event {
            Event::Key {
                key: Key::Tab,
                pressed: true,
                modifiers,
                ..
            } if !modifiers.any() => 1,
            Event::Key {
                key: Key::Tab,
                pressed: true,
                modifiers,
                ..
            } if modifiers.shift_only() => -1,
            _ => 0,
        });
        steps.sum()
    });
    let steps = context.data_mut(|data| {
        let left: &mut isize = data.get_temp_mut_or_default(left);
        *left += steps;
        let step = left.signum();
        *left -= step;
        step
    });
    if steps == 0 {
        return;
    }
    context.request_repaint();
    let mut layers = context.viewport(|viewport| {
        let layers = viewport.prev_pass.widgets.layers();
        let layers = layers.map(|(layer, widgets)| {
            let reached = widgets
                .iter()
                .filter(|widget| widget.enabled && widget.sense.is_focusable());
            let reached = reached.map(|widget| (widget.id, widget.rect));
            (*layer, reached.collect::<Vec<_>>())
        });
        layers.collect::<Vec<_>>()
    });
    context.memory(|memory| layers.retain(|(layer, _)| memory.allows_interaction(*layer)));
    layers.sort_by_key(|(layer, _)| layer.order);
    let drawn = layers.into_iter().flat_map(|(_, widgets)| widgets);
    let order = by_the_eye(drawn);
    let focused = context.memory(|memory| memory.focused());
    let at = order.iter().position(|id| Some(*id) == focused);
    let next = match at {
        Some(at) => (at as isize + steps).rem_euclid(order.len() as isize),
        None if steps > 0 => 0,
        None => order.len() as isize - 1,
    };
    if let Some(next) = usize::try_from(next).ok().and_then(|next| order.get(next)) {
        context.memory_mut(|memory| {
            memory.move_focus(FocusDirection::None);
            memory.request_focus(*next);
        });
    }
}

/// Widgets that follow each other from right to left on one line, the other way round.
fn by_the_eye(drawn: impl Iterator<Item = (Id, Rect)>) -> Vec<Id> {
    let mut order = Vec::new();
    let mut line: Vec<(Id, Rect)> = Vec::new();
    for (id, rect) in drawn {
        let goes_on = line.last().is_some_and(|(_, last)| {
            let beside = last.y_range().contains(rect.center().y)
                || rect.y_range().contains(last.center().y);
            beside && rect.center().x < last.left()
        });
        if !goes_on {
            order.extend(line.drain(..).rev().map(|(id, _)| id));
        }
        line.push((id, rect));
    }
    order.extend(line.into_iter().rev().map(|(id, _)| id));
    order
}

#[cfg(test)]
mod tests {
    use egui::{pos2, vec2};

    use super::*;

    #[test]
    fn what_is_drawn_from_the_right_is_reached_from_the_left() {
        let at = |x, y| Rect::from_min_size(pos2(x, y), vec2(40.0, 20.0));
        let drawn = [
            ("name", at(0.0, 0.0)),
            ("settings", at(500.0, 0.0)),
            ("talks", at(450.0, 2.0)),
            ("help", at(400.0, 0.0)),
            ("files", at(0.0, 50.0)),
            ("folder", at(50.0, 50.0)),
            // The other column begins higher.
            ("switch", at(500.0, 30.0)),
            ("copy", at(450.0, 80.0)),
        ];
        let ids = drawn.map(|(name, rect)| (Id::unique(name), rect));
        let order = by_the_eye(ids.into_iter());
        let expected = [
            "name", "help", "talks", "settings", "files", "folder", "switch", "copy",
        ];
        assert_eq!(order, expected.map(Id::unique));
    }
}
