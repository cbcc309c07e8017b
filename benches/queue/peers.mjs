// Measures one of the other queues: node peers.mjs QUEUE URL. Prints one line of JSON with the figures that main.rs shows.
import { performance } from "node:perf_hooks";
import pg from "pg";

const [queue, url] = process.argv.slice(2);
const SECONDS = 5;
const CALLERS = 64;
const BULK = 1_000;
const BACKLOG = 20_000;
const PROBES = 200;

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const now = () => performance.now();

// Calls from so many callers at once for some seconds. Returns calls a second.
async function rate(callers, call) {
  const began = now();
  let calls = 0;
  const caller = async () => {
    while (now() - began < SECONDS * 1_000) {
      await call();
      calls += 1;
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return (calls * 1_000) / (now() - began);
}

// Adds one job now and then, and returns how long each took to start.
async function latencies(add, started) {
  const times = [];
  for (let probe = 0; probe < PROBES; probe += 1) {
    const start = started();
    const began = now();
    await add();
    times.push((await start) - began);
    await sleep(20);
  }
  return times;
}

// Each queue: adds one job, adds many, and has `work` called for each of them until it is stopped.
const queues = {
  async graphile() {
    const { makeWorkerUtils, run } = await import("graphile-worker");
    const pgPool = new pg.Pool({ connectionString: url, max: 32 });
    const utils = await makeWorkerUtils({ pgPool });
    await utils.migrate();
    return {
      add: () => utils.addJob("job", { n: 1 }),
      addMany: (count) => utils.addJobs(Array.from({ length: count }, () => ({ identifier: "job", payload: { n: 1 } }))),
      clear: () => pgPool.query("TRUNCATE graphile_worker._private_jobs"),
      async work(handle, isBatched) {
        const worker = { concurrentJobs: 64, maxPoolSize: 32 };
        const batched = { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 };
        const preset = { worker: isBatched ? { ...worker, ...batched } : worker };
        const quiet = new (await import("graphile-worker")).Logger(() => () => {});
        const runner = await run({ pgPool, preset, logger: quiet, noHandleSignals: true, taskList: { job: () => handle(1) } });
        return () => runner.stop();
      },
      end: () => utils.release(),
    };
  },
  async "pg-boss"() {
    const { PgBoss } = await import("pg-boss");
    const boss = new PgBoss({ connectionString: url, max: 32, useListenNotify: true });
    boss.on("error", (error) => console.error(error));
    await boss.start();
    await boss.createQueue("job", { notify: true });
    return {
      add: () => boss.send("job", { n: 1 }),
      addMany: (count) => boss.insert("job", Array.from({ length: count }, () => ({ data: { n: 1 } }))),
      clear: () => boss.deleteAllJobs("job"),
      async work(handle, isBatched) {
        const options = isBatched ? { batchSize: 500, localConcurrency: 4, burstWhenBatchFull: true } : { pollingIntervalSeconds: 0.5 };
        const id = await boss.work("job", options, async (jobs) => handle(jobs.length));
        return () => boss.offWork("job", { id });
      },
      end: () => boss.stop({ graceful: false }),
    };
  },
};

const { add, addMany, clear, work, end } = await queues[queue]();
const one = await rate(CALLERS, add);
await clear();
const many = (await rate(4, () => addMany(BULK))) * BULK;
await clear();

for (let left = BACKLOG; left > 0; left -= BULK) await addMany(BULK);
let [handled, began, drained] = [0, 0, null];
const isDrained = new Promise((done) => (drained = done));
const stopDraining = await work((count) => {
  began ||= now();
  handled += count;
  if (handled >= BACKLOG) drained(now());
}, true);
const drain = ((await isDrained) - began) / 1_000;
await stopDraining();

let told = null;
const stop = await work(() => told?.(now()), false);
await sleep(1_000);
const times = await latencies(add, () => new Promise((done) => (told = done)));
await stop();
console.log(JSON.stringify({ one, many, handled: BACKLOG / drain, times }));
await end();
process.exit(0);
