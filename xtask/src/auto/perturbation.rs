//! Prompts as hurried and polite people would have written them. Their answers are the same, so the
//! router should decide alike; training sees both.

/// The ways in which a prompt is changed.
pub(crate) const KINDS: [&str; 6] = ["lower", "typos", "prefix", "space", "suffix", "brackets"];

/// Ways that nothing is trained on: what they show is what other people's slips and talk would.
pub(crate) const FOREIGN: [&str; 3] = ["keys", "opening", "closing"];

/// Openings of [`FOREIGN`], written before any rule that takes openings off, and not looked at one by one.
const OPENINGS: [&str; 24] = [
    "Quick one for you - ",
    "Yo, got a sec? ",
    "Hi! I'm preparing for an exam next week and this came up in my notes. ",
    "My colleague and I have been arguing about this all afternoon, so we decided to ask you. ",
    "Sorry to bother you again, but here is another one.\n",
    "I was reading something on the train this morning and it made me wonder: ",
    "Okay, new topic. ",
    "Can you help with this? ",
    "Hey buddy, so my kid came home with this and honestly I have no idea. ",
    "Alright, here goes nothing...\n\n",
    "Good evening, dear assistant, I trust you are well. I would be grateful for your opinion on the matter below.\n\n",
    "hiya!! me again lol. ",
    "Thanks for the last answer, that was great! Next: ",
    "I'm really curious what you think about this. ",
    "Not sure if you can do this, but let's try. ",
    "This has been bugging me for days. ",
    "As we discussed earlier, I'd like you to look at this: ",
    "Let's play a game, you answer my questions as well as you can. ",
    "Here's something I found in an old notebook, tell me what you make of it:\n",
    "Please be so kind as to help an old man with the following question. ",
    "umm hi, not sure how this works, anyway: ",
    "I need your expertise here, it's kind of urgent. ",
    "We had pizza last night and then this question came up, so: ",
    "Dear AI, as always you're my last hope! ",
];

/// Endings of [`FOREIGN`].
const CLOSINGS: [&str; 8] = [
    "\n\nCheers!",
    " Take your time, there is no rush.",
    "\nYour help means a lot to me, thank you.",
    " I'm looking forward to your reply!",
    " Thx :)",
    "\n\nBest regards,\nSam",
    " If you're not sure, just give it your best guess please.",
    "\nMuch obliged.",
];

/// Rows of keys: a finger that misses hits a neighbour.
const KEYS: [&str; 3] = ["qwertyuiop", "asdfghjkl", "zxcvbnm"];

const PREFIXES: [&str; 6] = [
    "Hey there! Hope you're having a good day. I have a quick question for you: ",
    "Hi, I've been stuck on this one for a while, could you please help me out?\n\n",
    "Hello assistant. I need some help with the following.\n",
    "So I was chatting with a friend about this yesterday and we could not agree. ",
    "ok so here's the thing, my teacher gave me this and I want to be sure. ",
    "Good morning! I would like to know the following: ",
];

const SUFFIXES: [&str; 6] = [
    "\nThanks in advance!",
    " Please think about it carefully and give me a clear answer. Thank you so much!",
    "\n\nI'd really appreciate your help with this.",
    " Thank you very much, you are a great help!",
    " Could you please answer as well as you can? It is important to me.",
    "\nPlease let me know what you think, many thanks.",
];

/// A small generator of numbers (Marsaglia's xorshift), so that training is the same every time.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

// === impl Dice ===

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) const fn draw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).unwrap_or(1);
        usize::try_from(self.draw() % bound).unwrap_or_default()
    }

    /// Between 0 and 1.
    pub(crate) fn share(&mut self) -> f32 {
        let drawn = u16::try_from(self.draw() % 65_536).unwrap_or_default();
        f32::from(drawn) / 65_536.0
    }

    /// Roughly normal, with mean 0 and variance 1.
    pub(crate) fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.share()).sum::<f32>() - 6.0
    }
}

/// The prompt, changed in one way.
pub(crate) fn perturbed(prompt: &str, kind: &str, dice: &mut Dice) -> String {
    match kind {
        "lower" => prompt.to_lowercase(),
        "typos" => typos(prompt, dice),
        "prefix" => format!("{}{prompt}", PREFIXES[dice.below(PREFIXES.len())]),
        "space" => prompt.replace('\n', "\n\n").replace(". ", ".  "),
        "suffix" => format!("{prompt}{}", SUFFIXES[dice.below(SUFFIXES.len())]),
        "keys" => keys(prompt, dice),
        "opening" => format!("{}{prompt}", OPENINGS[dice.below(OPENINGS.len())]),
        "closing" => format!("{prompt}{}", CLOSINGS[dice.below(CLOSINGS.len())]),
        _ => brackets(prompt),
    }
}

/// Of a hundred letters, four are swapped with the next, dropped or doubled.
fn typos(prompt: &str, dice: &mut Dice) -> String {
    let mut letters: Vec<char> = prompt.chars().collect();
    let mut at = 0;
    while at + 1 < letters.len() {
        if letters[at].is_alphabetic() && dice.below(100) < 4 {
            match dice.below(3) {
                0 => letters.swap(at, at + 1),
                1 => drop(letters.remove(at)),
                _ => letters.insert(at, letters[at]),
            }
            at += 1;
        }
        at += 1;
    }
    letters.into_iter().collect()
}

/// Of a hundred letters, four are hit beside, hit with their neighbour, or missed; one space in a hundred
/// is missed.
fn keys(prompt: &str, dice: &mut Dice) -> String {
    let mut out = String::with_capacity(prompt.len() + prompt.len() / 16);
    for letter in prompt.chars() {
        if letter == ' ' && dice.below(100) == 0 {
            continue;
        }
        let hit = letter.is_ascii_alphabetic() && dice.below(100) < 4;
        match (hit, beside(letter, dice)) {
            (true, Some(other)) => match dice.below(3) {
                0 => out.push(other),
                1 => out.extend([letter, other]),
                _ => {}
            },
            _ => out.push(letter),
        }
    }
    out
}

/// A key beside a letter's, in its case.
fn beside(letter: char, dice: &mut Dice) -> Option<char> {
    let lower = letter.to_ascii_lowercase();
    let row = KEYS.iter().find(|row| row.contains(lower))?;
    let at = row.find(lower)?;
    let step = if dice.below(2) == 0 {
        at.checked_sub(1)
    } else {
        Some(at + 1)
    };
    let other = step
        .and_then(|at| row.chars().nth(at))
        .or_else(|| row.chars().nth(at.abs_diff(1)))?;
    Some(if letter.is_uppercase() {
        other.to_ascii_uppercase()
    } else {
        other
    })
}

/// `A. x` as `(A) x`.
fn brackets(prompt: &str) -> String {
    let line = |line: &str| match line.as_bytes() {
        [letter @ b'A'..=b'J', b'.' | b')', ..] => {
            format!("({}){}", char::from(*letter), &line[2..])
        }
        _ => line.to_owned(),
    };
    prompt.lines().map(line).collect::<Vec<_>>().join("\n")
}
