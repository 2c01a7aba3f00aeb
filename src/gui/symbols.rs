//! The pictures of the symbols that two people compare.

use lucide_icons::Icon;

use crate::model::Symbol;

pub fn icon(symbol: Symbol) -> Icon {
    ICONS[symbol.index()]
}

/// In the order of [`Symbol`].
#[rustfmt::skip]
const ICONS: [Icon; Symbol::COUNT] = [
    Icon::Fish, Icon::Key, Icon::Cloud, Icon::TreePine,
    Icon::Anchor, Icon::Apple, Icon::Bell, Icon::Bike,
    Icon::Bird, Icon::Book, Icon::Bug, Icon::Cake,
    Icon::Camera, Icon::Car, Icon::Carrot, Icon::Cat,
    Icon::Cherry, Icon::Clock, Icon::Coffee, Icon::Crown,
    Icon::Gem, Icon::Dog, Icon::Drum, Icon::Egg,
    Icon::Eye, Icon::Flag, Icon::Flame, Icon::Flower2,
    Icon::Gift, Icon::Glasses, Icon::Globe, Icon::Grape,
    Icon::Guitar, Icon::Hammer, Icon::Hand, Icon::Heart,
    Icon::House, Icon::IceCreamCone, Icon::Leaf, Icon::Lightbulb,
    Icon::Magnet, Icon::Moon, Icon::Mountain, Icon::Music,
    Icon::Paperclip, Icon::Piano, Icon::Pizza, Icon::Plane,
    Icon::Puzzle, Icon::Rabbit, Icon::Rainbow, Icon::Bot,
    Icon::Rocket, Icon::Sailboat, Icon::Scissors, Icon::Snail,
    Icon::Snowflake, Icon::Star, Icon::Sun, Icon::Tent,
    Icon::TrainFront, Icon::Trophy, Icon::Turtle, Icon::Umbrella,
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::texts::{CHINESE, ENGLISH};
    use super::*;
    use crate::model::Symbols;

    #[test]
    fn no_two_symbols_share_a_picture_or_a_word_in_either_language() {
        let all: Vec<Symbol> = (0..Symbol::COUNT as u32)
            .map(|index| {
                let [_, bits @ ..] = index.to_be_bytes();
                Symbols::from_bits(bits).0[3]
            })
            .collect();
        let pictures: HashSet<char> = all.iter().map(|one| char::from(icon(*one))).collect();
        assert_eq!(pictures.len(), Symbol::COUNT);
        for texts in [&ENGLISH, &CHINESE] {
            let words: HashSet<&str> = all.iter().map(|one| (texts.symbol)(*one)).collect();
            assert_eq!(words.len(), Symbol::COUNT);
        }
    }
}
