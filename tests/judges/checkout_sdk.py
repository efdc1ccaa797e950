"""Checkout.com's official Python SDK as a reader of the sandbox: says what it sees as one JSON object.

It knows nothing of what the sandbox holds; whoever starts it compares. One argument: a JSON object with `url`, `key`,
`narrow_key` (may not read disputes), `limited` (a payment id that is answered with 429) and the unix seconds `from` and
`to` between which payments are looked for. No SDK follows search's next link, so the range is halved until one answer
holds all of a part. Loopback only.
"""

import json
import logging
import sys
import warnings
from datetime import datetime, timezone

from checkout_sdk.checkout_sdk import CheckoutSdk
from checkout_sdk.disputes.disputes import DisputesQueryFilter
from checkout_sdk.environment import Environment
from checkout_sdk.exception import CheckoutApiException
from checkout_sdk.payments.payments import PaymentsSearchRequest

asked = json.loads(sys.argv[1])
assert asked["url"].startswith("http://127.0.0.1:"), "loopback only"
# The opting out of host names per merchant is meant: loopback has none. Refusals are looked at below.
warnings.simplefilter("ignore", DeprecationWarning)
logging.disable(logging.ERROR)
LIMIT = 50


def client(key):
    here = asked["url"] + "/"
    environment = Environment(here, here, here, here, here, here, here, is_sandbox=True)
    return CheckoutSdk.builder().secret_key(key).environment(environment).use_legacy_domain().build()


def moment(second):
    return datetime.fromtimestamp(second, tz=timezone.utc)


def payment(one):
    return {"id": one.id, "status": one.status, "amount": one.amount, "currency": one.currency}


def dispute(one):
    return {"id": one.id, "status": one.status, "amount": one.amount, "currency": one.currency}


def refusal(call):
    try:
        call()
    except CheckoutApiException as error:
        return [type(error).__name__, error.http_metadata.status_code, error.error_details]
    return None


def search(api, first, last, found):
    request = PaymentsSearchRequest()
    request.query, request.limit, request.from_, request.to = "amount:>=0", LIMIT, moment(first), moment(last)
    page = api.payments.search_payments(request)
    seen["searches"] += 1
    if len(page.data) < LIMIT:
        # Both ends are inside: neighbours may show the same payment.
        found.update((one.id, payment(one)) for one in page.data)
        return
    assert last - first > 1, "a second holds more than one answer can"
    middle = (first + last) // 2
    search(api, first, middle, found)
    search(api, middle, last, found)


def disputes(api):
    found = []
    while True:
        query = DisputesQueryFilter()
        query.limit, query.skip = 20, len(found)
        page = api.disputes.query(query)
        found += [dispute(one) for one in page.data]
        if not page.data or len(found) >= page.total_count:
            return {"total": page.total_count, "all": found}


api = client(asked["key"])
seen = {"searches": 0}
payments = {}
search(api, asked["from"], asked["to"], payments)
seen["payments"] = list(payments.values())
seen["disputes"] = disputes(api)
some = list(payments)[:: max(1, len(payments) // 5)]
seen["payment_singles"] = [payment(api.payments.get_payment_details(one)) for one in some]
seen["actions"] = {one: [action.type for action in api.payments.get_payment_actions(one).items] for one in some}
seen["dispute_singles"] = [dispute(api.disputes.get_dispute_details(one["id"])) for one in seen["disputes"]["all"][:5]]
seen["errors"] = {
    "unknown_key": refusal(lambda: client("sk_sbox_" + "z" * 27).disputes.query(DisputesQueryFilter())),
    "narrow_key": refusal(lambda: client(asked["narrow_key"]).disputes.query(DisputesQueryFilter())),
    "unknown_id": refusal(lambda: api.payments.get_payment_details("pay_" + "a" * 26)),
    "limited": refusal(lambda: api.payments.get_payment_details(asked["limited"])),
}
print(json.dumps(seen))
