//! Functions that ask other services, on a whole node.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    thread,
};

use picloud::execution::Outcome;
use serde_json::{Value, json};

use crate::kit::{
    api::Api,
    node::{PATIENCE, node, wait_until},
};

const CONFIG: &str = "[outbound]\nprivate = [\"127.0.0.1\"]\n[metrics]\nopen = true\n";

/// Another service. It keeps the first line of each request, and answers all but those to `/hang`.
struct Service {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Service {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, asked) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<String>>>::default());
        let seen = asked.clone();
        thread::spawn(move || {
            let mut hanging = Vec::new();
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut head = vec![0; 4_096];
                let length = stream.read(&mut head).unwrap_or_default();
                let line = String::from_utf8_lossy(&head[..length]).lines().next().unwrap_or_default().to_owned();
                seen.lock().unwrap().push(line.clone());
                if line.contains("/hang") {
                    hanging.push(stream);
                } else {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
                }
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

#[test]
fn proxies_of_the_environment_are_ignored() {
    let (service, proxy) = (Service::start(), Service::start());
    let script = format!(
        "+++\n[http]\nallow = [\"http://{0}\", \"https://{0}\"]\n+++\nlet kind = ();\ntry {{ http::get(\"https://{0}/\") }} catch (error) {{ kind = error.kind }}\n[http::get(\"http://{0}/plain\").text, kind]",
        service.address
    );
    let url = format!("http://{}", proxy.address);
    let setup = node(&[("f.rhai", &script)]).config(CONFIG);
    let names = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let node = names.iter().fold(setup, |setup, name| setup.variable(name, &url)).variable("REQUEST_METHOD", "").start();
    assert_eq!(node.get("/f").json(), json!(["ok", "tls"]));
    assert_eq!(proxy.asked(), Vec::<String>::new());
    // A proxy would be told the whole URL.
    assert_eq!(service.asked().last().unwrap(), "GET /plain HTTP/1.1");
}

#[test]
fn what_a_run_did_is_on_record_when_its_caller_leaves() {
    let service = Service::start();
    let script = format!(
        "+++\ntimeout = \"60s\"\nsecrets = [\"KEY\"]\n[http]\nallow = [\"http://{0}\"]\n+++\nhttp::get(\"http://{0}/quick\");\nhttp::post(`http://{0}/hang/${{secret(\"KEY\").reveal()}}`, \"1234\")",
        service.address
    );
    let node = node(&[]).config(CONFIG).start();
    let api = Api::of(&node);
    assert_eq!(api.json("PUT", "/api/admin/secrets", &json!({ "values": { "KEY": "open-sesame" } })).status, 200);
    node.write("f.get.rhai", &script);
    wait_until("it is live", PATIENCE, || node.send("POST", "/f", &[], b"").status == 405);
    let mut client = node.client();
    client.begin("/f");
    wait_until("the second request is under way", PATIENCE, || service.asked().len() == 2);
    drop(client);
    let execution = node.wait_for_execution("the run that was left", |execution| execution.outcome == Outcome::Cancelled);
    let told = api.get(&format!("/api/admin/executions/{}", execution.id)).json();
    let effects: Vec<Value> = told["effects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|effect| json!([effect["target"], effect["outcome"], effect["sent_bytes"]]))
        .collect();
    let address = service.address;
    assert_eq!(
        effects,
        [json!([format!("GET {address}/quick"), "200", 0]), json!([format!("POST {address}/hang/[secret KEY]"), "cancelled", 4])]
    );
    assert_eq!((&told["status"], &told["effects"][1]["failed"]), (&json!(499), &json!(true)));
    let metrics = node.get("/_picloud/metrics").text();
    for line in ["picloud_effects_total{kind=\"http\"} 2\n", "picloud_failed_effects_total{kind=\"http\"} 1\n"] {
        assert!(metrics.contains(line), "{metrics}");
    }
}

#[test]
fn a_body_with_one_secret_many_times_is_bounded_before_it_is_made() {
    let script = "+++\nsecrets = [\"KEY\"]\n[http]\nallow = [\"https://example.org\"]\n+++\nlet all = [];\nfor n in 0..100 { all.push(secret(\"KEY\")); }\ntry { http::post(\"https://example.org/\", all); } catch (error) { return error; }";
    let node = node(&[("many.rhai", script)]).start();
    let values = json!({ "values": { "KEY": "x".repeat(60_000) } });
    assert_eq!(Api::of(&node).json("PUT", "/api/admin/secrets", &values).status, 200);
    let error = node.get("/many").json();
    assert_eq!(error["kind"], "invalid", "{error}");
    assert!(error["message"].as_str().unwrap().contains("secrets in it take more than 4194304 bytes"), "{error}");
}
