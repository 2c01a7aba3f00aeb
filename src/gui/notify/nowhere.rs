//! Systems on which nothing is shown yet.

use std::sync::mpsc::{Receiver, Sender, channel};

use super::{Heard, Order};

/// Shows nothing, and says so: whoever ordered it has to reach the person in another way.
pub struct Desktop {
    say: Sender<Heard>,
    wake: Box<dyn Fn()>,
}

impl Desktop {
    /// `wake` is called whenever there is something to be heard.
    pub fn start(wake: impl Fn() + Send + 'static) -> (Self, Receiver<Heard>) {
        let (say, heard) = channel();
        let wake = Box::new(wake);
        (Self { say, wake }, heard)
    }

    pub fn order(&self, order: Order) {
        if matches!(order, Order::Show(..)) {
            // The window may be gone by then.
            let _ = self.say.send(Heard::NotShown);
            (self.wake)();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::gui::notify::{Act, Card, Topic};

    #[test]
    fn whoever_orders_a_notification_hears_that_nobody_shows_it() {
        let (woke, woken) = channel();
        let (desktop, heard) = Desktop::start(move || woke.send(()).unwrap());
        desktop.order(Order::Close(Topic::Offers));
        assert!(heard.try_recv().is_err());
        let card = Card {
            title: "Offer".into(),
            body: String::new(),
            pressed: Act::Show,
            buttons: Vec::new(),
            urgent: true,
        };
        desktop.order(Order::Show(Topic::Offers, card));
        assert_eq!(heard.try_recv(), Ok(Heard::NotShown));
        woken.try_recv().unwrap();
    }
}
