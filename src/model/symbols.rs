//! Four symbols that two people compare, where no secret is typed.
//!
//! 24 bits: somebody in between has one try, and one in 16,777,216 of those succeeds. Symbols, so
//! that nobody takes them for the code.

/// One of [`Symbol::COUNT`], by its place in the list.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Symbol(u8);

impl Symbol {
    pub const COUNT: usize = 64;

    /// 0 to 63.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// English, as the command line shows it and PROTOCOL.md lists it.
    pub fn name(self) -> &'static str {
        NAMES[self.index()]
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Symbols(pub [Symbol; 4]);

impl Symbols {
    /// Six bits each, the first from the highest bits of the first byte.
    pub fn from_bits(bits: [u8; 3]) -> Self {
        let all = u32::from_be_bytes([0, bits[0], bits[1], bits[2]]);
        Self([18, 12, 6, 0].map(|shift| Symbol((all >> shift & 63) as u8)))
    }

    /// `Fish · Key · Cloud · Tree`
    pub fn words(&self) -> String {
        self.0.map(Symbol::name).join(" · ")
    }
}

/// Things that are told apart at a glance, in a picture and in a word, in both languages.
#[rustfmt::skip]
const NAMES: [&str; Symbol::COUNT] = [
    "Fish", "Key", "Cloud", "Tree", "Anchor", "Apple", "Bell", "Bike",
    "Bird", "Book", "Bug", "Cake", "Camera", "Car", "Carrot", "Cat",
    "Cherry", "Clock", "Coffee", "Crown", "Diamond", "Dog", "Drum", "Egg",
    "Eye", "Flag", "Flame", "Flower", "Gift", "Glasses", "Globe", "Grapes",
    "Guitar", "Hammer", "Hand", "Heart", "House", "Ice cream", "Leaf", "Light bulb",
    "Magnet", "Moon", "Mountain", "Music", "Paperclip", "Piano", "Pizza", "Plane",
    "Puzzle", "Rabbit", "Rainbow", "Robot", "Rocket", "Sailboat", "Scissors", "Snail",
    "Snowflake", "Star", "Sun", "Tent", "Train", "Trophy", "Turtle", "Umbrella",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_become_symbols_from_the_left() {
        assert_eq!(
            Symbols::from_bits([0, 0x10, 0x83]).words(),
            "Fish · Key · Cloud · Tree"
        );
        assert_eq!(Symbols::from_bits([0xff; 3]).0, [Symbol(63); 4]);
    }

    #[test]
    fn no_two_symbols_have_one_name() {
        let mut names = NAMES.to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Symbol::COUNT);
    }
}
