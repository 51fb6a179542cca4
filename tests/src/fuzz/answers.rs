//! Answers of guests: whatever is in their memory, reading it ends, within bounds.

use tollgate::sandbox::read_answer;

/// The hook, then memory.
pub fn run(data: &[u8]) {
    let Some((hook, memory)) = data.split_first() else { return };
    let _ = read_answer(memory, *hook, 0);
    let _ = read_answer(memory, *hook, 4);
    let _ = read_answer(memory, *hook, u32::MAX - 1);
}

/// Answers with edits and replies, as they lie in memory.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
    let edits = words(&[0, 0, 0, 0, 0, 0, 0, 40, 2, 0, 0, 80, 3, 84, 2, 2, 80, 4, 0, 0]);
    let reply = words(&[0, 2, 403, 40, 1, 80, 3, 0, 0, 0, 80, 3, 84, 2, 0, 0, 0, 0, 0, 0]);
    let facts = words(&[0, 0xff, 40, 2, 40, 1, 0, 0, 0, 0, 80, 3, 84, 2, 0, 0, 0, 0, 0, 0]);
    let text = b"x-a\0ok\0\0".as_slice();
    [(1, &edits), (3, &edits), (5, &edits), (1, &reply), (2, &reply), (4, &reply), (0, &facts)]
        .map(|(hook, words)| [&[hook], &**words, text].concat())
        .to_vec()
}
