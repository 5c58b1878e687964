use super::*;

fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    split(text, 0..text.len(), &mut tokens);
    tokens.iter().map(|t| &text[t.start..t.end]).collect()
}

#[test]
fn examples() {
    // Each text with its tokens, parted by bars.
    let table = [
        ("I don't know.", "I|do|n't|know|."),
        ("I don’t know.", "I|do|n’t|know|."),
        ("Can't, won't, cannot!", "Ca|n't|,|wo|n't|,|can|not|!"),
        ("John's and the boys' dogs", "John|'s|and|the|boys|'|dogs"),
        ("I'll say you've they're he'd I'm", "I|'ll|say|you|'ve|they|'re|he|'d|I|'m"),
        ("O'Connor d'état L'Aquila", "O'Connor|d'état|L'Aquila"),
        ("gonna wanna", "gon|na|wan|na"),
        ("well-known Eye-Tracking", "well|-|known|Eye|-|Tracking"),
        ("non-profit co-founded ex-wife", "non-profit|co-founded|ex-wife"),
        ("17-volume under-19 TF-104", "17-volume|under-19|TF-104"),
        ("1990-1995 3-2", "1990|-|1995|3|-|2"),
        ("1,000.50 and 12/03/1998 at 10:30", "1,000.50|and|12/03/1998|at|10:30"),
        ("$40, 40% US$5", "$|40|,|40|%|US|$|5"),
        ("the 1990s, '90s and 21st", "the|1990s|,|'90s|and|21st"),
        ("the U.S. and e.g. Ph.D. at 5 a.m.", "the|U.S.|and|e.g.|Ph.D.|at|5|a.m."),
        ("Mr. Smith, Inc. and Dr. J. K. Rowling", "Mr.|Smith|,|Inc.|and|Dr.|J.|K.|Rowling"),
        ("J.R.R. Tolkien", "J.R.R.|Tolkien"),
        ("No. 7 is no. It is.", "No.|7|is|no|.|It|is|."),
        ("Washington, D.C.", "Washington|,|D.C."),
        ("He said \"stop\" (twice).", "He|said|\"|stop|\"|(|twice|)|."),
        ("“Our brother,” she said", "“|Our|brother|,|”|she|said"),
        ("«Bonjour» ‹x›", "«|Bonjour|»|‹|x|›"),
        ("Wait... what?! -- no — yes", "Wait|...|what|?!|--|no|—|yes"),
        ("end.Next", "end|.|Next"),
        (
            "see http://example.com/a?b=c, or www.example.org.",
            "see|http://example.com/a?b=c|,|or|www.example.org|.",
        ),
        ("mail a.b@example.com!", "mail|a.b@example.com|!"),
        ("bdnews24.com and example.com/path", "bdnews24.com|and|example.com/path"),
        ("@handle #topic a@b", "@handle|#topic|a|@|b"),
        ("R&B AT&T a&b", "R&B|AT&T|a|&|b"),
        ("and/or s/he North/South", "and/or|s/he|North|/|South"),
        (":) fine <3 :-D", ":)|fine|<3|:-D"),
        ("👩‍👩‍👧 🇩🇪👍🏽x", "👩‍👩‍👧|🇩🇪|👍🏽|x"),
        ("naïve cafe\u{301} Łódź", "naïve|cafe\u{301}|Łódź"),
        ("東京に行く", "東|京|に|行|く"),
        ("Привет, мир!", "Привет|,|мир|!"),
        ("x_1 = y*2", "x_1|=|y|*|2"),
        ("do n't He 's", "do|n't|He|'s"),
        ("A.B", "A.B"),
        ("...", "..."),
        ("'", "'"),
        ("-", "-"),
    ];
    for (text, expected) in table {
        assert_eq!(tokens(text).join("|"), expected, "{text}");
    }
}
