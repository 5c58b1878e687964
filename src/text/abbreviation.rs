//! Words that keep their period.

/// Abbreviations, lower-cased and without their last period.
const ABBREVIATIONS: &[&str] = &[
    "adm", "al", "apr", "assn", "assoc", "asst", "attn", "aug", "ave", "bros", "ca", "capt", "cf",
    "cmdr", "co", "col", "corp", "cpl", "dec", "dept", "dist", "dr", "ed", "eds", "eq", "esp",
    "esq", "est", "etc", "feb", "fig", "figs", "fr", "ft", "gen", "gov", "hon", "inc", "intl",
    "jr", "lt", "ltd", "maj", "messrs", "mlle", "mme", "mr", "mrs", "ms", "mt", "nos", "nov",
    "oct", "ph.d", "phd", "pp", "pres", "prof", "prop", "pvt", "rep", "reps", "rev", "sen", "sens",
    "sept", "sgt", "sr", "st", "supt", "univ", "viz", "vol", "vols", "vs",
];

/// Abbreviations only before a number: "No. 7", "Jan. 5"; elsewhere they may be words.
const BEFORE_NUMBERS: &[&str] =
    &["art", "ch", "jan", "jul", "jun", "mar", "no", "op", "p", "para", "sec", "sep"];

/// Whether `word`, which a period follows, keeps it; `next` is what comes after the period and
/// the white space behind it.
pub(super) fn keeps_period(word: &str, next: Option<char>) -> bool {
    let mut letters = word.chars();
    let (first, single) = (letters.next(), letters.next().is_none());
    if single && first.is_some_and(char::is_uppercase) {
        // An initial, "J. K. Rowling"; but "I." ends a sentence, as "I" does not.
        return word != "I" || next.is_some_and(char::is_uppercase);
    }
    let lower = word.to_lowercase();
    ABBREVIATIONS.binary_search(&lower.as_str()).is_ok()
        || (BEFORE_NUMBERS.binary_search(&lower.as_str()).is_ok()
            && next.is_some_and(|c| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_as_their_search_needs() {
        assert!(ABBREVIATIONS.is_sorted() && BEFORE_NUMBERS.is_sorted());
    }

    #[test]
    fn a_month_is_abbreviated_before_its_day_only() {
        assert!(keeps_period("Jan", Some('5')) && !keeps_period("Jan", Some('H')));
        assert!(keeps_period("Dr", Some('S')) && !keeps_period("house", Some('T')));
    }
}
