"""Stripe's official Python SDK as a reader of the sandbox: says what it sees as one JSON object.

It knows nothing of what the sandbox holds; whoever starts it compares. One argument: a JSON object with `url`, `key`,
`narrow_key` (may not read payouts) and `limited` (a charge id that is answered with 429). Loopback only.
"""

import json
import sys

import stripe

asked = json.loads(sys.argv[1])
assert asked["url"].startswith("http://127.0.0.1:"), "loopback only"
stripe.enable_telemetry = False


def client(key):
    addresses = {"api": asked["url"], "files": asked["url"], "connect": asked["url"], "meter_events": asked["url"]}
    return stripe.StripeClient(key, base_addresses=addresses, max_network_retries=0)


def facts(one):
    return {"id": one.id, "status": one.status, "amount": one.amount, "currency": one.currency, "at": one.created}


def refusal(call):
    try:
        call()
    except stripe.StripeError as error:
        # `error.code` is filled in only for refused parameters.
        return [type(error).__name__, error.http_status, error.json_body["error"].get("code")]
    return None


api = client(asked["key"]).v1
services = {
    "charges": api.charges,
    "refunds": api.refunds,
    "disputes": api.disputes,
    "payment_intents": api.payment_intents,
    "balance_transactions": api.balance_transactions,
    "payouts": api.payouts,
}
seen = {"lists": {}, "backwards": {}, "windows": {}, "singles": {}}
for name, service in services.items():
    whole = [facts(one) for one in service.list({"limit": 100}).auto_paging_iter()]
    seen["lists"][name] = whole
    # The SDK pages the other way when it is given the end of the list: oldest of each page first.
    last = service.list({"limit": 60, "ending_before": whole[-1]["id"]})
    seen["backwards"][name] = [one.id for one in last.auto_paging_iter()]
    first, until = whole[-1]["at"] + 1, whole[0]["at"]
    window = service.list({"limit": 100, "created": {"gte": first, "lt": until}})
    seen["windows"][name] = [first, until, [one.id for one in window.auto_paging_iter()]]
    seen["singles"][name] = [facts(service.retrieve(one["id"])) for one in whole[:: max(1, len(whole) // 5)]]

seen["errors"] = {
    "unknown_key": refusal(lambda: client("rk_test_unknown0000000000000").v1.charges.list({"limit": 1})),
    "narrow_key": refusal(lambda: client(asked["narrow_key"]).v1.payouts.list({"limit": 1})),
    "unknown_id": refusal(lambda: api.charges.retrieve("ch_3NoSuchCharge")),
    "wrong_limit": refusal(lambda: api.charges.list({"limit": 1000})),
    "limited": refusal(lambda: api.charges.retrieve(asked["limited"])),
}
print(json.dumps(seen))
