//! What is new is laid out until it has settled, and painted then.
//!
//! egui has each request followed by two pictures, and by one more where a widget is new, since some of
//! them know only then how they look. Where the processor paints, a picture takes many times as long as
//! laying it out; so there egui goes through the page again instead ([`Context::request_discard`]).
//! A request out of a pass that was thrown away is out of date for eframe, and asks for no picture; what it
//! was about has been looked at in the last pass, as [`eframe::App::logic`] runs in each.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use egui::Context;

/// As many as it takes: one with the request, one for the second picture of it, and one that asks for nothing.
const PASSES: usize = 3;
/// egui warns (in a build for developers) of three pictures in a row that took more than one pass.
const IN_A_ROW: usize = 2;

#[derive(Debug)]
pub struct Settling {
    /// A picture was asked for, and at once: since the pass began, or before it.
    asked: Arc<AtomicBool>,
    /// This picture is laid out until it has settled.
    settles: bool,
    /// One was asked for by what had settled: an animation, which has its next picture coming anyway.
    moves: bool,
    /// A text field had the keyboard.
    types: bool,
}

impl Settling {
    pub fn new(context: &Context) -> Self {
        let asked = Arc::new(AtomicBool::new(false));
        let told = asked.clone();
        context.set_repaint_observer(move |request| {
            if request.delay.is_zero() {
                told.store(true, Ordering::Relaxed);
            }
        });
        context.options_mut(|options| {
            options.max_passes = NonZeroUsize::MIN.saturating_add(PASSES - 1)
        });
        Self {
            asked,
            settles: false,
            moves: false,
            types: false,
        }
    }

    /// At the end of each pass.
    pub fn pass(&mut self, context: &Context) {
        let asked = self.asked.swap(false, Ordering::Relaxed);
        match context.current_pass_index() {
            0 => self.begin(asked, context),
            last if last + 1 == PASSES => {
                self.moves = asked;
                self.settles = false;
            }
            _ => {}
        }
        if self.settles {
            context.request_discard("what is new settles before it is painted");
        }
    }

    fn begin(&mut self, asked: bool, context: &Context) {
        self.moves &= asked;
        let in_a_row = context.viewport(|viewport| viewport.num_multipass_in_row);
        // What a pass that was thrown away says to an input method is taken for the last word, also where
        // the field is gone by then.
        let typed = std::mem::replace(&mut self.types, context.text_edit_focused());
        let types = typed || self.types;
        self.settles = asked && !self.moves && !types && in_a_row < IN_A_ROW;
    }
}

/// Where a picture costs nothing egui goes on as it does by itself. It keeps the number with what it remembers.
pub fn as_usual(context: &Context) {
    context.options_mut(|options| options.max_passes = egui::Options::default().max_passes);
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use egui::{Button, RawInput, Sense, Ui};

    use super::*;

    /// A context whose pictures are made when egui asks for them, as eframe does it.
    struct Screen {
        context: Context,
        /// For each request at once, after which pass it came.
        asked: Arc<Mutex<Vec<u64>>>,
        settling: Option<Settling>,
        time: f64,
    }

    impl Screen {
        fn new(settles: bool) -> Self {
            let context = Context::default();
            let asked = Arc::<Mutex<Vec<u64>>>::default();
            let told = asked.clone();
            context.set_request_repaint_callback(move |request| {
                if request.delay.is_zero() {
                    told.lock()
                        .unwrap()
                        .push(request.current_cumulative_pass_nr);
                }
            });
            let settling = settles.then(|| Settling::new(&context));
            Self {
                context,
                asked,
                settling,
                time: 0.0,
            }
        }

        fn paint(&mut self, events: Vec<egui::Event>, page: &mut impl FnMut(&mut Ui)) {
            self.time += 0.02;
            let input = RawInput {
                time: Some(self.time),
                events,
                ..RawInput::default()
            };
            let output = self.context.run_ui(input, |ui| {
                page(ui);
                if let Some(settling) = &mut self.settling {
                    settling.pass(ui.ctx());
                }
            });
            output.drop_without_applying_deltas();
        }

        /// How many pictures are made until none is asked for any more, at most 100.
        fn pictures(&mut self, events: Vec<egui::Event>, mut page: impl FnMut(&mut Ui)) -> usize {
            self.paint(events, &mut page);
            let more = (1..100).take_while(|_| {
                let now = self.context.cumulative_pass_nr();
                let asked = std::mem::take(&mut *self.asked.lock().unwrap());
                let valid = asked.iter().any(|at| now == *at || now == at + 1);
                if valid {
                    self.paint(vec![], &mut page);
                }
                valid
            });
            1 + more.count()
        }

        /// Until all that went before is out of the way.
        fn rest(&mut self, mut page: impl FnMut(&mut Ui)) {
            for _ in 0..3 {
                self.pictures(vec![], &mut page);
            }
        }
    }

    fn moved() -> Vec<egui::Event> {
        vec![egui::Event::PointerMoved(egui::pos2(20.0, 20.0))]
    }

    #[test]
    fn a_request_and_a_new_widget_take_one_picture_instead_of_three() {
        for (settles, pictures) in [(false, 3), (true, 1)] {
            let mut screen = Screen::new(settles);
            screen.rest(|ui| drop(ui.label("nothing here")));
            screen
                .context
                .request_repaint_after(std::time::Duration::from_millis(1));
            let found = screen.pictures(vec![], |ui| {
                drop(ui.push_id("new", |ui| ui.add(Button::new("new"))))
            });
            assert_eq!(found, pictures, "settles: {settles}");
        }
    }

    #[test]
    fn what_somebody_does_takes_one_picture_and_is_heard_once() {
        for (settles, pictures) in [(false, 3), (true, 1)] {
            let mut screen = Screen::new(settles);
            let page = |ui: &mut Ui| ui.allocate_response(egui::vec2(90.0, 90.0), Sense::CLICK);
            screen.rest(|ui| drop(page(ui)));
            let press = |pressed| egui::Event::PointerButton {
                pos: egui::pos2(20.0, 20.0),
                button: egui::PointerButton::Primary,
                pressed,
                modifiers: egui::Modifiers::default(),
            };
            let mut clicks = 0;
            screen.pictures(vec![press(true)], |ui| {
                clicks += usize::from(page(ui).clicked())
            });
            let found = screen.pictures(vec![press(false)], |ui| {
                clicks += usize::from(page(ui).clicked())
            });
            assert_eq!((found, clicks), (pictures, 1), "settles: {settles}");
        }
    }

    #[test]
    fn what_moves_goes_on_moving_and_is_laid_out_once_for_each_picture() {
        let mut screen = Screen::new(true);
        let mut passes = 0;
        let found = screen.pictures(moved(), |ui| {
            passes += 1;
            ui.ctx().request_repaint();
        });
        assert_eq!(found, 100);
        assert_eq!(passes, 100 + 2);
        // Then it rests, and settles again.
        let still = |ui: &mut Ui| drop(ui.label("still"));
        screen.rest(still);
        assert_eq!(screen.pictures(moved(), still), 1);
    }

    #[test]
    fn what_is_typed_is_painted_as_egui_does_it() {
        let [plain, settling] = [false, true].map(|settles| {
            let mut screen = Screen::new(settles);
            let mut text = String::new();
            let mut page = |ui: &mut Ui| ui.text_edit_singleline(&mut text).request_focus();
            screen.rest(&mut page);
            let typed = vec![egui::Event::Text("a".into())];
            screen.pictures(typed, &mut page)
        });
        assert!(plain > 1);
        assert_eq!(settling, plain);
    }

    #[test]
    fn two_pictures_in_a_row_settle() {
        let mut screen = Screen::new(true);
        let still = |ui: &mut Ui| drop(ui.label("still"));
        screen.rest(still);
        let pictures: Vec<usize> = (0..6).map(|_| screen.pictures(moved(), still)).collect();
        assert_eq!(pictures, [1, 1, 3, 1, 1, 3]);
    }
}
