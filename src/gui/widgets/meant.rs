//! Whether a click was meant for what is there now, or for what was there a moment ago.

use egui::{Id, PointerButton, Response, Ui};

use crate::model::{DeviceId, TransferId};

/// What has just come under the pointer takes no click for so long, nor while somebody goes on clicking.
const RIPENS_SECONDS: f64 = 0.5;

/// What comes up by itself, with buttons.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Comes {
    Offer(TransferId),
    Text(DeviceId),
    Call(DeviceId),
}

#[derive(Clone, Copy)]
struct Shown {
    what: Comes,
    /// By the window's clock.
    ripe_at: f64,
    /// The number of the last picture that it was in.
    picture: u64,
}

/// A click on it, but not the second one of a double click: by then another button may have taken the
/// place of the first.
pub fn meant(response: &Response) -> bool {
    let doubled = response.double_clicked() || response.triple_clicked();
    response.clicked() && !(by_pointer(response) && doubled)
}

/// The same for a button that comes up by itself: it is `ripe` if it [has been there](is_ripe) for a while.
pub fn meant_when_ripe(response: &Response, ripe: bool) -> bool {
    meant(response) && (ripe || !by_pointer(response))
}

/// Keys and screen readers know what they press.
fn by_pointer(response: &Response) -> bool {
    response.clicked_by(PointerButton::Primary)
}

/// It has been in sight for so long that a click is meant for it. To be asked in every picture that has it.
pub fn is_ripe(ui: &Ui, what: Comes) -> bool {
    let (now, pressed) = ui.input(|input| (input.time, input.pointer.any_pressed()));
    let picture = ui.ctx().cumulative_frame_nr() + 1;
    ui.data_mut(|data| {
        let all: &mut Vec<Shown> = data.get_temp_mut_or_default(Id::unique("ripens"));
        // What was not in the last picture has gone: whoever offers again and again fills nothing.
        all.retain(|shown| shown.picture + 1 >= picture);
        let ripe_at = now + RIPENS_SECONDS;
        let Some(shown) = all.iter_mut().find(|shown| shown.what == what) else {
            all.push(Shown {
                what,
                ripe_at,
                picture,
            });
            return false;
        };
        if pressed && now < shown.ripe_at {
            shown.ripe_at = ripe_at;
        }
        shown.picture = picture;
        now >= shown.ripe_at
    })
}

#[cfg(test)]
mod tests {
    use egui::{Context, Event, Modifiers, RawInput, Rect, Sense, pos2, vec2};

    use super::*;

    /// Pictures with one button under the pointer, if there is one.
    #[derive(Default)]
    struct Screen {
        context: Context,
        clicks: usize,
        meant: usize,
    }

    impl Screen {
        fn paint(&mut self, time: f64, pressed: Option<bool>, shown: bool) {
            let button = |pressed| Event::PointerButton {
                pos: pos2(5.0, 5.0),
                button: PointerButton::Primary,
                pressed,
                modifiers: Modifiers::default(),
            };
            let input = RawInput {
                time: Some(time),
                events: pressed.map(button).into_iter().collect(),
                ..RawInput::default()
            };
            let output = self.context.run_ui(input, |ui| {
                if !shown {
                    return;
                }
                let rect = Rect::from_min_size(pos2(0.0, 0.0), vec2(10.0, 10.0));
                let response = ui.interact(rect, Id::unique("accept"), Sense::CLICK);
                let ripe = is_ripe(ui, Comes::Offer(TransferId([1; 16])));
                self.clicks += usize::from(response.clicked());
                self.meant += usize::from(meant_when_ripe(&response, ripe));
            });
            output.drop_without_applying_deltas();
        }

        fn click(&mut self, time: f64) {
            self.paint(time, Some(true), true);
            self.paint(time + 0.05, Some(false), true);
        }
    }

    #[test]
    fn what_comes_up_under_a_click_is_not_clicked() {
        let mut screen = Screen::default();
        screen.paint(1.0, None, false);
        screen.paint(2.0, None, true);
        screen.click(2.15);
        // Nor by whoever goes on clicking.
        screen.click(2.5);
        screen.click(2.85);
        assert_eq!((screen.clicks, screen.meant), (3, 0));
        screen.click(4.0);
        assert_eq!(screen.meant, 1);
        // It has gone, and comes once more.
        screen.paint(6.0, None, false);
        screen.paint(7.0, None, true);
        screen.click(7.1);
        assert_eq!(screen.meant, 1);
        // A long time without a picture is none without it.
        screen.click(60.0);
        assert_eq!(screen.meant, 2);
    }

    #[test]
    fn the_second_click_of_two_is_not_for_what_took_the_place() {
        let mut screen = Screen::default();
        screen.paint(1.0, None, true);
        screen.paint(1.5, None, true);
        screen.click(2.0);
        screen.click(2.15);
        assert_eq!((screen.clicks, screen.meant), (2, 1));
    }
}
