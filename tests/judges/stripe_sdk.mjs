// Stripe's official Node SDK as a reader of the sandbox: says what it sees as one JSON object, in the words of
// stripe_sdk.py. It knows nothing of what the sandbox holds. Loopback only.

import { createRequire } from 'node:module';

const asked = JSON.parse(process.argv[2]);
const url = new URL(asked.url);
if (url.hostname !== '127.0.0.1') throw new Error('loopback only');
const Stripe = createRequire(`${process.env.COUNTERFOIL_JUDGES}/`)('stripe');

const client = (key) =>
  new Stripe(key, { host: url.hostname, port: url.port, protocol: 'http', telemetry: false, maxNetworkRetries: 0 });
const facts = (one) => ({
  id: one.id, status: one.status, amount: one.amount, currency: one.currency, at: one.created,
});
const refusal = async (call) => {
  try {
    await call();
  } catch (error) {
    return [error.constructor.name, error.statusCode ?? null, error.code ?? null];
  }
  return null;
};
const all = async (list, read) => {
  const found = [];
  for await (const one of list) found.push(read(one));
  return found;
};

const api = client(asked.key);
const services = {
  charges: api.charges,
  refunds: api.refunds,
  disputes: api.disputes,
  payment_intents: api.paymentIntents,
  balance_transactions: api.balanceTransactions,
  payouts: api.payouts,
};
const seen = { lists: {}, backwards: {}, windows: {}, singles: {} };
for (const [name, service] of Object.entries(services)) {
  const whole = await all(service.list({ limit: 100 }), facts);
  seen.lists[name] = whole;
  // The SDK pages the other way when it is given the end of the list.
  seen.backwards[name] = await all(service.list({ limit: 60, ending_before: whole.at(-1).id }), (one) => one.id);
  const [first, until] = [whole.at(-1).at + 1, whole[0].at];
  const window = service.list({ limit: 100, created: { gte: first, lt: until } });
  seen.windows[name] = [first, until, await all(window, (one) => one.id)];
  const step = Math.max(1, Math.floor(whole.length / 5));
  seen.singles[name] = [];
  for (let at = 0; at < whole.length; at += step) {
    seen.singles[name].push(facts(await service.retrieve(whole[at].id)));
  }
}
seen.errors = {
  unknown_key: await refusal(() => client('rk_test_unknown0000000000000').charges.list({ limit: 1 })),
  narrow_key: await refusal(() => client(asked.narrow_key).payouts.list({ limit: 1 })),
  unknown_id: await refusal(() => api.charges.retrieve('ch_3NoSuchCharge')),
  wrong_limit: await refusal(() => api.charges.list({ limit: 1000 })),
  limited: await refusal(() => api.charges.retrieve(asked.limited)),
};
console.log(JSON.stringify(seen));
