//! [`Driver`]: a program that makes the calls of the suite through the binding of its language.
//! The protocol is in `README.md`.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// What a call brought back.
#[derive(Debug)]
pub struct Answer {
    pub events: Vec<String>,
    /// The value, if the call has one, or the number of the code and the message.
    pub result: Result<Option<String>, (i32, String)>,
}

pub type Argument = Option<Vec<u8>>;

pub trait Driver {
    fn call(&mut self, name: &str, arguments: &[Argument]) -> Answer;
}

/// A driver in a process of its own.
pub struct Process {
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Process {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{command:?}: {e}"));
        let (requests, answers) = (child.stdin.take(), child.stdout.take().unwrap());
        Self { child, requests, answers: BufReader::new(answers) }
    }

    /// Ends the driver, which must have had nothing to complain about.
    pub fn finish(mut self) {
        self.requests = None;
        let status = self.child.wait().unwrap();
        assert!(status.success(), "the driver ended with {status}");
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "the driver has ended; it says why above");
        line.trim_end().to_owned()
    }

    fn value(&mut self) -> Option<String> {
        let line = self.line();
        if line == "-" {
            return None;
        }
        let length: usize = line.parse().unwrap_or_else(|_| panic!("no length: {line:?}"));
        let mut bytes = vec![0; length + 1];
        self.answers.read_exact(&mut bytes).unwrap();
        assert_eq!(bytes.pop(), Some(b'\n'), "a value is longer than it says");
        Some(String::from_utf8(bytes).expect("UTF-8"))
    }
}

impl Driver for Process {
    fn call(&mut self, name: &str, arguments: &[Argument]) -> Answer {
        let mut request = format!("{name} {}\n", arguments.len()).into_bytes();
        for argument in arguments {
            match argument {
                Some(bytes) => {
                    request.extend(format!("{}\n", bytes.len()).bytes());
                    request.extend(bytes);
                    request.push(b'\n');
                }
                None => request.extend(b"-\n"),
            }
        }
        let requests = self.requests.as_mut().unwrap();
        // A driver that has ended is noticed at its answer.
        let _ = requests.write_all(&request).and_then(|()| requests.flush());
        let mut events = Vec::new();
        loop {
            let line = self.line();
            match line.split_once(' ') {
                None if line == "event" => events.push(self.value().expect("an event")),
                None if line == "ok" => return Answer { events, result: Ok(self.value()) },
                Some(("error", code)) => {
                    let code = code.parse().unwrap_or_else(|_| panic!("no code: {code:?}"));
                    let message = self.value().expect("a message");
                    return Answer { events, result: Err((code, message)) };
                }
                _ => panic!("no answer: {line:?}"),
            }
        }
    }
}
