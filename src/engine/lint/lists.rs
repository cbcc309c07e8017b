//! Lists of arguments that would take too long to compile.

use rhai::{Engine, Position, Token};

/// Most arguments of one call, and most parameters of one function. The compiler needs time that grows with their square (10,000 parameters
/// take 0.7 s), and it cannot be interrupted.
const MAX_ARGUMENTS: usize = 256;
/// Most commas directly between braces: the arms of a `switch`, or the parameters of a closure.
const MAX_BETWEEN_BRACES: usize = 2_000;

/// Returns where a list of arguments is too long to compile in sensible time.
pub fn endless(engine: &Engine, script: &str) -> Option<(Position, String)> {
    if script.bytes().filter(|byte| *byte == b',').count() < MAX_BETWEEN_BRACES {
        return None;
    }
    let inputs = [script];
    let (tokens, _) = engine.lex(&inputs);
    // For each open bracket, how many commas it may still hold.
    let mut commas = vec![MAX_BETWEEN_BRACES];
    for (token, at) in tokens {
        match token {
            Token::LeftParen => commas.push(MAX_ARGUMENTS),
            Token::LeftBrace => commas.push(MAX_BETWEEN_BRACES),
            // Literals are bounded by the limits on arrays and maps.
            Token::LeftBracket | Token::MapStart => commas.push(usize::MAX),
            Token::RightParen | Token::RightBracket | Token::RightBrace => {
                commas.pop();
            }
            Token::Comma => {
                if let Some(left) = commas.last_mut() {
                    let Some(fewer) = left.checked_sub(1) else {
                        return Some((at, format!("more than {MAX_ARGUMENTS} arguments or parameters")));
                    };
                    *left = fewer;
                }
            }
            Token::EOF => break,
            _ => {}
        }
    }
    None
}
