//! What a screen reader is told by itself: offers as they come, how far transfers are in steps that can be
//! listened to, and how they end. One sentence at a time, in a node that draws nothing.

use std::collections::HashMap;

use egui::accesskit::{Live, Role};
use egui::{Id, Rect, Sense, Ui, WidgetInfo};

use super::notify::{ended_title, listed};
use super::texts::Texts;
use super::view::{RowState, View};
use crate::model::{Direction, TransferId};

/// Percent between two words about one transfer.
const STEP: u64 = 25;

#[derive(Default)]
pub struct Spoken {
    offers: Vec<TransferId>,
    /// The last step that was said, or that it has ended.
    rows: HashMap<TransferId, Said>,
    sentence: String,
    urgent: bool,
    /// The sentence is urgent and of this picture: nobody has heard it yet.
    unheard: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    Percent(u64),
    Ended,
}

impl Spoken {
    /// A picture begins, of one pass or several.
    pub fn begin(&mut self) {
        self.unheard = false;
    }

    /// Takes note of what is new since the last pass.
    pub fn look(&mut self, view: &View, texts: &Texts) {
        let rows = &view.rows;
        self.rows
            .retain(|id, _| rows.iter().any(|row| row.id == *id));
        for row in rows {
            let who = row.peer.name.as_str();
            let now = match &row.state {
                RowState::Kept(_) => continue,
                RowState::Ended(_) => Said::Ended,
                RowState::Active(_) => {
                    let percent = (f64::from(row.fraction()) * 100.0) as u64;
                    Said::Percent(percent / STEP * STEP)
                }
            };
            let before = self.rows.insert(row.id, now);
            if before == Some(now) {
                continue;
            }
            let what = listed(texts, &row.names, row.picked);
            let sentence = match (&row.state, now) {
                (RowState::Ended(summary), _) => ended_title(summary, texts),
                // That it is all there is said when it is checked.
                (_, Said::Percent(percent)) if percent < 100 => Some(match row.direction {
                    Direction::Send => (texts.hands.said_sending)(&what, who, percent),
                    Direction::Receive => (texts.hands.said_receiving)(&what, who, percent),
                }),
                _ => None,
            };
            if let Some(sentence) = sentence.filter(|_| !self.unheard) {
                self.sentence = sentence;
                self.urgent = false;
            }
        }
        let known = std::mem::take(&mut self.offers);
        for offer in &view.offers {
            if !known.contains(&offer.transfer) {
                let who = offer.from.name.as_str();
                self.sentence = match offer.names.is_empty() {
                    true => (texts.offer_title)(who),
                    false => {
                        let what = listed(texts, &offer.names, offer.picked);
                        (texts.hands.said_offer)(who, &what)
                    }
                };
                self.urgent = true;
                self.unheard = true;
            }
            self.offers.push(offer.transfer);
        }
    }

    /// The node that is read out whenever its text is another one.
    pub fn ui(&self, ui: &Ui) {
        if self.sentence.is_empty() {
            return;
        }
        let nowhere = Rect::from_min_size(ui.max_rect().min, egui::Vec2::ZERO);
        let response = ui.interact(nowhere, Id::unique("spoken"), Sense::hover());
        response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &self.sentence));
        ui.ctx().accesskit_node_builder(response.id, |node| {
            node.set_live(match self.urgent {
                true => Live::Assertive,
                false => Live::Polite,
            });
        });
    }
}
