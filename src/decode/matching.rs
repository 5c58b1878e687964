//! How alike two spans are, token by token.

use crate::Span;

/// Bits: 1 all tokens equal, 2 last token equal, 4 first token equal, 8 one is inside the other.
pub fn matches(keys: &[i64], a: Span, b: Span) -> i64 {
    let (a, b) = (&keys[a.first..a.last], &keys[b.first..b.last]);
    let (long, short) = if a.len() >= b.len() { (a, b) } else { (b, a) };
    let equal = a == b;
    let inside = equal || long.windows(short.len()).any(|w| w == short);
    i64::from(equal)
        | i64::from(a.last() == b.last()) << 1
        | i64::from(a.first() == b.first()) << 2
        | i64::from(inside) << 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_say_which_tokens_are_equal() {
        // the old man | the man | the old man | man
        let keys = [1, 2, 3, 1, 3, 1, 2, 3, 3];
        let old_man = Span::new(0, 3);
        assert_eq!(matches(&keys, old_man, Span::new(5, 8)), 1 | 2 | 4 | 8);
        assert_eq!(matches(&keys, old_man, Span::new(3, 5)), 2 | 4);
        assert_eq!(matches(&keys, old_man, Span::new(8, 9)), 2 | 8);
        assert_eq!(matches(&keys, Span::new(1, 2), Span::new(8, 9)), 0);
    }
}
