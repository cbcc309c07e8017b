//! `picloud dev`: an author sees in the terminal what becomes of a save and of a request.

use std::fs;

use super::{Folder, Node, wait};

impl Folder {
    /// Starts `picloud dev`; what it prints goes into the file `told`.
    fn dev(&self, arguments: &[&str]) -> Node {
        let told = fs::File::create(self.0.path().join("told")).unwrap();
        let mut command = self.command(&[&["dev", "--listen", "127.0.0.1:0"], arguments].concat());
        command.stdout(told);
        Node::of(self, command)
    }

    /// Waits until it has printed a line with this in it, and returns all that it has printed.
    fn told(&self, part: &str) -> String {
        wait(|| {
            let told = fs::read_to_string(self.0.path().join("told")).unwrap();
            told.contains(part).then_some(told)
        })
    }
}

#[test]
fn an_author_sees_what_goes_live_what_is_wrong_and_what_is_asked() {
    let folder = Folder::project();
    let node = folder.dev(&[]);
    folder.told("live      2 functions");
    folder.told(&format!("functions at http://{}", node.address));
    node.get("/hello?name=Ada");
    let told = folder.told("GET /hello  ");
    assert!(told.contains("Z  200       GET /hello  ") && told.contains("\n                     info   greeting Ada\n"), "{told}");
    // A new function, a mistake in it, and the mistake mended.
    folder.write("functions/greet.rhai", "let x = 1 / 0; x");
    folder.told("live      + greet (");
    let answer = node.get("/greet");
    assert!(answer.contains("division by zero"), "authors see in the answer what went wrong: {answer}");
    let told = folder.told("GET /greet  ");
    assert!(told.contains("Z  502       GET /greet  ") && told.contains("greet.rhai:1:11: division by zero"), "{told}");
    folder.write("functions/greet.rhai", "let x = ;");
    folder.told("check     functions/greet.rhai:1:9: error: unexpected ';'\n");
    folder.write("functions/greet.rhai", "2");
    folder.told("mended    greet.rhai");
    folder.told("live      ~ greet (");
    fs::remove_file(folder.0.path().join("functions/greet.rhai")).unwrap();
    folder.told("live      - greet (");
    node.stop();
}

#[test]
fn an_author_goes_on_seeing_runs_when_the_admin_token_is_another() {
    let folder = Folder::project();
    let node = folder.dev(&[]);
    folder.told("live      2 functions");
    folder.done(&["token", "rotate-admin"]);
    // Between the streams of the one token and of the other, nothing is shown.
    let mut round = 0;
    let seen = |part: &str| fs::read_to_string(folder.0.path().join("told")).unwrap().contains(part);
    wait(|| {
        round += 1;
        node.get(&format!("/users/{round}"));
        folder.write("functions/greet.rhai", &round.to_string());
        (seen("GET /users/") && seen(" greet (")).then_some(())
    });
    node.stop();
}

#[test]
fn a_name_from_outside_does_not_speak_to_the_terminal() {
    let folder = Folder::project();
    folder.write("functions/say/[word].get.rhai", "log::info(ctx.request.params.word); 1");
    let node = folder.dev(&[]);
    folder.told("live      3 functions");
    node.get("/say/%1b%5b31m");
    let told = folder.told("GET /say/");
    assert!(told.contains(r"info   \u{1b}[31m") && !told.contains('\u{1b}'), "{told}");
    node.stop();
}

#[test]
fn dev_takes_the_options_of_serve_and_says_what_is_meant_instead_of_others() {
    let folder = Folder::project();
    let said = folder.refused(2, &["dev", "--port", "3000"]);
    assert!(said.contains("`--listen 3000`"), "{said}");
    let said = folder.refused(2, &["dev", "--listen", "example.org:80"]);
    assert!(said.contains("127.0.0.1:8080"), "{said}");
}
