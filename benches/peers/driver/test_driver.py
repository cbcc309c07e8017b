"""The driver's own tests: what it reads, what it concludes, and one short run over axum and PiCloud."""

import tempfile
import unittest
from pathlib import Path

import load
import main
import peers
import report
import server
from results import Results

WRK = """Running 3s test @ http://127.0.0.1:1/hello
  1 threads and 64 connections
  Latency Distribution
     50%  650.00us
     75%    1.10ms
     99%    2.19ms
  300 requests in 3.00s, 1.00MB read
  Socket errors: connect 0, read 1, write 0, timeout 2
  Non-2xx or 3xx responses: 100
Requests/sec:    100.00
Transfer/sec:      1.00MB
"""


class Reading(unittest.TestCase):
    def test_a_refusal_is_no_answer(self):
        one = load.parse(WRK, 4_000, (1.0, 2.0))
        self.assertEqual(one.requests, 200)
        self.assertAlmostEqual(one.per_second, 66.67, 2)
        self.assertEqual(one.errors, 103)
        self.assertEqual(one.cpu_us, 20)
        self.assertEqual((one.p50_ms, one.p99_ms), (0.65, 2.19))

    def test_what_is_not_from_wrk_is_an_error(self):
        with self.assertRaises(RuntimeError):
            load.parse("unable to connect", 0, (0, 0))

    def test_a_body_in_chunks_is_put_together(self):
        head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        self.assertFalse(server.is_whole(head + b"3\r\nabc\r\n"))
        self.assertTrue(server.is_whole(head + b"3\r\nabc\r\n0\r\n\r\n"))
        self.assertEqual(server.dechunk(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), b"abcde")

    def test_a_body_with_a_length_is_whole_at_its_end(self):
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"
        self.assertFalse(server.is_whole(head + b"ab"))
        self.assertTrue(server.is_whole(head + b"abc"))


def loaded(f1, f2, cpu=10.0):
    return {name: [{"per_second": per_second, "cpu_us": cpu}] for name, per_second in (("F1", f1), ("F2", f2))}


def saved(in_place, by_rename):
    ways = {"in place": in_place, "by rename": by_rename}
    return {way: [{"live_ms": ms, "failed": 0}] for way, ms in ways.items()}


class Concluding(unittest.TestCase):
    LOAD = {"axum": loaded(900, 900), "picloud": loaded(100, 100)}
    SAVE = {"picloud": saved(2.0, 2.0)}

    def verdict(self, load, save):
        return report.ahead({**self.LOAD, "other": load}, {**self.SAVE, **({"other": save} if save else {})})

    def test_a_peer_with_less_on_one_of_three_is_not_ahead(self):
        for load, save in (
            (loaded(200, 90), saved(1.0, 1.0)),
            (loaded(90, 200), saved(1.0, 1.0)),
            (loaded(200, 200), saved(3.0, 3.0)),
        ):
            self.assertEqual(self.verdict(load, save).count("no peer"), 2)

    def test_a_peer_with_more_on_all_three_is_named(self):
        verdict = self.verdict(loaded(200, 200), saved(3.0, 1.0))
        self.assertIn("By req/s, ahead of PiCloud on F1, F2 and save → live together: other.", verdict)
        self.assertEqual(verdict.count("no peer"), 1)

    def test_cpu_time_is_judged_by_itself(self):
        verdict = self.verdict(loaded(90, 90, 5.0), saved(1.0, 3.0))
        self.assertIn("By CPU, ahead of PiCloud on F1, F2 and save → live together: other.", verdict)
        self.assertEqual(verdict.count("no peer"), 1)

    def test_a_peer_that_does_not_reload_or_was_never_live_is_not_ahead(self):
        for save in (None, saved(None, None)):
            self.assertEqual(self.verdict(loaded(200, 200, 5.0), save).count("no peer"), 2)

    def test_there_is_no_verdict_without_figures_of_picloud(self):
        self.assertEqual(report.ahead({"other": loaded(1, 1)}, self.SAVE), "")


class Measuring(unittest.TestCase):
    def test_every_measure_runs_over_axum_and_picloud(self):
        with tempfile.TemporaryDirectory() as folder:
            words = ["check", *main.MEASURES, "--quick", "--profile", "dev", "-p", "axum,picloud", "--results", folder]
            self.assertEqual(main.main(words), 0)
            results = Results(Path(folder))
            for measure in main.MEASURES:
                self.assertIn("picloud", results.read(measure), measure)
            self.assertEqual(sum(one["errors"] for one in results.read("load")["picloud"]["F1"]), 0)
            for way, done in results.read("save")["picloud"].items():
                self.assertTrue(all(one["live_ms"] and not one["failed"] for one in done), way)
            self.assertIn("| picloud | 100 |", report.report(results))
        self.assertFalse(server.RUNS.exists(), "the run leaves nothing behind")

    def test_a_wrong_answer_is_named(self):
        peers.build("dev")
        wrong = dict(load.ANSWERS, F3={"fib": 1})
        right, load.ANSWERS = load.ANSWERS, wrong
        try:
            self.assertIn("axum answers F3", load.check([peers.PEERS["axum"]])[0])
        finally:
            load.ANSWERS = right


if __name__ == "__main__":
    unittest.main()
