-- A store of this version with two rows in every table, written by the test `migrations`.
PRAGMA application_id = 1128690548;
PRAGMA user_version = 3;
CREATE TABLE accounts (
  account INTEGER NOT NULL PRIMARY KEY,
  uuid TEXT NOT NULL UNIQUE,
  connection TEXT UNIQUE,
  provider TEXT NOT NULL,
  provider_account TEXT,
  livemode INTEGER,
  created_at INTEGER NOT NULL,
  removed_at INTEGER
);
CREATE TABLE coverage (
  window INTEGER NOT NULL PRIMARY KEY,
  account INTEGER NOT NULL REFERENCES accounts,
  stream TEXT NOT NULL,
  clock TEXT NOT NULL,
  from_at INTEGER NOT NULL,
  to_at INTEGER NOT NULL,
  method TEXT NOT NULL,
  state TEXT NOT NULL,
  cursor TEXT,
  pages INTEGER NOT NULL DEFAULT 0,
  rows INTEGER NOT NULL DEFAULT 0,
  rejected INTEGER NOT NULL DEFAULT 0,
  provider_at INTEGER,
  read_at INTEGER,
  declaration TEXT NOT NULL,
  reason TEXT
);
CREATE INDEX coverage_by_stream ON coverage (account, stream, state, from_at);
CREATE TABLE horizons (
  account INTEGER NOT NULL REFERENCES accounts,
  stream TEXT NOT NULL,
  listed_from INTEGER,
  listed_to INTEGER,
  changed_to INTEGER,
  tells_changes INTEGER NOT NULL,
  stated_at INTEGER NOT NULL,
  PRIMARY KEY (account, stream)
);
CREATE TABLE changes (
  account INTEGER NOT NULL REFERENCES accounts,
  stream TEXT NOT NULL,
  id TEXT NOT NULL,
  changed_at INTEGER NOT NULL,
  marked_seq INTEGER NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (account, stream, id)
);
CREATE TABLE rounds (
  account INTEGER NOT NULL REFERENCES accounts,
  stream TEXT NOT NULL,
  kind TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (account, stream, kind)
);
CREATE TABLE reads (
  account INTEGER NOT NULL REFERENCES accounts,
  day_at INTEGER NOT NULL,
  purpose TEXT NOT NULL,
  reads INTEGER NOT NULL,
  PRIMARY KEY (account, day_at, purpose)
);
CREATE TABLE runs (
  run INTEGER NOT NULL PRIMARY KEY,
  account INTEGER NOT NULL REFERENCES accounts,
  stream TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at INTEGER,
  outcome TEXT,
  code TEXT,
  requests INTEGER NOT NULL DEFAULT 0,
  pages INTEGER NOT NULL DEFAULT 0,
  rows INTEGER NOT NULL DEFAULT 0,
  bytes INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE problems (
  account INTEGER,
  stream TEXT,
  code TEXT NOT NULL,
  detail TEXT NOT NULL,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  times INTEGER NOT NULL DEFAULT 1,
  cleared_at INTEGER
);
CREATE TABLE rejected (
  account INTEGER NOT NULL REFERENCES accounts,
  stream TEXT NOT NULL,
  id TEXT NOT NULL,
  reason TEXT NOT NULL,
  field TEXT NOT NULL,
  read_at INTEGER NOT NULL,
  times INTEGER NOT NULL DEFAULT 1,
  PRIMARY KEY (account, stream, id, field, reason)
);
CREATE TABLE drift (
  account INTEGER NOT NULL REFERENCES accounts,
  stream TEXT NOT NULL,
  field TEXT NOT NULL,
  times INTEGER NOT NULL,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  PRIMARY KEY (account, stream, field)
);
CREATE TABLE checks (
  account INTEGER NOT NULL REFERENCES accounts,
  stream TEXT NOT NULL,
  kind TEXT NOT NULL,
  checked_at INTEGER NOT NULL,
  compared INTEGER NOT NULL,
  different INTEGER NOT NULL
);
CREATE TABLE config_generations (
  generation INTEGER NOT NULL PRIMARY KEY,
  hash TEXT NOT NULL,
  loaded_at INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  detail TEXT NOT NULL
);
CREATE TABLE state (
  name TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
);
CREATE TABLE stripe_events (
  account INTEGER NOT NULL REFERENCES accounts,
  id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  type TEXT NOT NULL,
  object TEXT,
  object_id TEXT,
  charge_id TEXT,
  latest_charge_id TEXT,
  seen_at INTEGER NOT NULL,
  read_at INTEGER NOT NULL,
  read_seq INTEGER NOT NULL,
  source TEXT NOT NULL,
  deleted_at INTEGER,
  PRIMARY KEY (account, id)
);
CREATE TABLE stripe_charges (
  account INTEGER NOT NULL REFERENCES accounts,
  id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  status TEXT NOT NULL,
  amount INTEGER NOT NULL,
  currency TEXT NOT NULL,
  amount_captured INTEGER,
  amount_refunded INTEGER,
  amount_presented INTEGER,
  currency_presented TEXT,
  paid INTEGER,
  captured INTEGER,
  refunded INTEGER,
  disputed INTEGER,
  payment_intent_id TEXT,
  balance_transaction_id TEXT,
  failure_balance_transaction_id TEXT,
  review_id TEXT,
  outcome_type TEXT,
  outcome_reason TEXT,
  network_status TEXT,
  network_decline_code TEXT,
  network_advice_code TEXT,
  advice_code TEXT,
  risk_level TEXT,
  risk_score INTEGER,
  failure_code TEXT,
  fraud_report_stripe TEXT,
  fraud_report_user TEXT,
  method_type TEXT,
  payment_method TEXT,
  card_brand TEXT,
  card_network TEXT,
  card_funding TEXT,
  card_country TEXT,
  card_regulated TEXT,
  card_product TEXT,
  card_bin TEXT,
  card_issuer TEXT,
  card_last4 TEXT,
  card_token TEXT,
  avs_line1_check TEXT,
  avs_postal_code_check TEXT,
  cvc_check TEXT,
  three_ds_result TEXT,
  three_ds_result_reason TEXT,
  three_ds_flow TEXT,
  three_ds_version TEXT,
  three_ds_eci TEXT,
  three_ds_exemption TEXT,
  three_ds_exemption_applied INTEGER,
  eci TEXT,
  wallet_type TEXT,
  network_token_used INTEGER,
  stored_credential_usage TEXT,
  setup_credential_usage TEXT,
  moto INTEGER,
  amount_authorized INTEGER,
  capture_before_at INTEGER,
  installments INTEGER,
  network_transaction_id TEXT,
  authorization_code TEXT,
  present_brand TEXT,
  present_network TEXT,
  present_funding TEXT,
  present_country TEXT,
  present_token TEXT,
  present_read_method TEXT,
  billing_country TEXT,
  payer_token TEXT,
  customer_id TEXT,
  customer_token TEXT,
  application_id TEXT,
  amount_application_fee INTEGER,
  application_fee_id TEXT,
  on_behalf_of TEXT,
  transfer_id TEXT,
  transfer_destination TEXT,
  amount_transfer INTEGER,
  source_transfer_id TEXT,
  transfer_group TEXT,
  description TEXT,
  statement_descriptor TEXT,
  metadata TEXT,
  seen_at INTEGER NOT NULL,
  read_at INTEGER NOT NULL,
  read_seq INTEGER NOT NULL,
  source TEXT NOT NULL,
  deleted_at INTEGER,
  PRIMARY KEY (account, id)
);
CREATE INDEX stripe_charges_created ON stripe_charges (account, created_at);
CREATE TABLE stripe_refunds (
  account INTEGER NOT NULL REFERENCES accounts,
  id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  status TEXT,
  amount INTEGER NOT NULL,
  currency TEXT NOT NULL,
  amount_presented INTEGER,
  currency_presented TEXT,
  charge_id TEXT,
  payment_intent_id TEXT,
  balance_transaction_id TEXT,
  failure_balance_transaction_id TEXT,
  reason TEXT,
  failure_reason TEXT,
  pending_reason TEXT,
  destination_type TEXT,
  card_refund_type TEXT,
  card_reference_type TEXT,
  card_reference_status TEXT,
  card_reference TEXT,
  next_action_type TEXT,
  transfer_reversal_id TEXT,
  source_transfer_reversal_id TEXT,
  payment_method TEXT,
  customer_id TEXT,
  description TEXT,
  metadata TEXT,
  seen_at INTEGER NOT NULL,
  read_at INTEGER NOT NULL,
  read_seq INTEGER NOT NULL,
  source TEXT NOT NULL,
  deleted_at INTEGER,
  PRIMARY KEY (account, id)
);
CREATE TABLE stripe_disputes (
  account INTEGER NOT NULL REFERENCES accounts,
  id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  status TEXT NOT NULL,
  amount INTEGER NOT NULL,
  currency TEXT NOT NULL,
  charge_id TEXT,
  payment_intent_id TEXT,
  reason TEXT,
  network_reason_code TEXT,
  case_type TEXT,
  card_brand TEXT,
  card_network TEXT,
  method_type TEXT,
  is_charge_refundable INTEGER,
  due_at INTEGER,
  has_evidence INTEGER,
  past_due INTEGER,
  submissions INTEGER,
  intended_submission TEXT,
  metadata TEXT,
  seen_at INTEGER NOT NULL,
  read_at INTEGER NOT NULL,
  read_seq INTEGER NOT NULL,
  source TEXT NOT NULL,
  deleted_at INTEGER,
  PRIMARY KEY (account, id)
);
CREATE TABLE stripe_payment_intents (
  account INTEGER NOT NULL REFERENCES accounts,
  id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  status TEXT NOT NULL,
  amount INTEGER NOT NULL,
  currency TEXT NOT NULL,
  amount_capturable INTEGER,
  amount_received INTEGER,
  amount_tip INTEGER,
  amount_presented INTEGER,
  currency_presented TEXT,
  latest_charge_id TEXT,
  capture_method TEXT,
  confirmation_method TEXT,
  setup_future_usage TEXT,
  canceled_at INTEGER,
  cancellation_reason TEXT,
  next_action_type TEXT,
  error_type TEXT,
  error_code TEXT,
  error_decline_code TEXT,
  error_advice_code TEXT,
  error_network_decline_code TEXT,
  error_charge_id TEXT,
  processing_type TEXT,
  automatic_methods INTEGER,
  payment_method TEXT,
  customer_id TEXT,
  customer_token TEXT,
  payer_token TEXT,
  review_id TEXT,
  application_id TEXT,
  amount_application_fee INTEGER,
  on_behalf_of TEXT,
  transfer_destination TEXT,
  amount_transfer INTEGER,
  transfer_group TEXT,
  order_reference TEXT,
  description TEXT,
  statement_descriptor TEXT,
  metadata TEXT,
  seen_at INTEGER NOT NULL,
  read_at INTEGER NOT NULL,
  read_seq INTEGER NOT NULL,
  source TEXT NOT NULL,
  deleted_at INTEGER,
  PRIMARY KEY (account, id)
);
CREATE INDEX stripe_payment_intents_created ON stripe_payment_intents (account, created_at);
CREATE TABLE stripe_balance_transactions (
  account INTEGER NOT NULL REFERENCES accounts,
  id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  available_at INTEGER,
  status TEXT,
  type TEXT NOT NULL,
  reporting_category TEXT,
  balance_type TEXT,
  amount INTEGER NOT NULL,
  amount_fee INTEGER NOT NULL,
  amount_net INTEGER NOT NULL,
  currency TEXT NOT NULL,
  exchange_rate TEXT,
  source_id TEXT,
  description TEXT,
  seen_at INTEGER NOT NULL,
  read_at INTEGER NOT NULL,
  read_seq INTEGER NOT NULL,
  source TEXT NOT NULL,
  deleted_at INTEGER,
  PRIMARY KEY (account, id)
);
CREATE INDEX stripe_balance_transactions_created ON stripe_balance_transactions (account, created_at);
CREATE TABLE stripe_balance_transaction_fees (
  account INTEGER NOT NULL REFERENCES accounts,
  balance_transaction_id TEXT NOT NULL,
  position INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  type TEXT,
  amount INTEGER NOT NULL,
  currency TEXT NOT NULL,
  application_id TEXT,
  description TEXT,
  seen_at INTEGER NOT NULL,
  read_at INTEGER NOT NULL,
  read_seq INTEGER NOT NULL,
  source TEXT NOT NULL,
  deleted_at INTEGER,
  PRIMARY KEY (account, balance_transaction_id, position)
);
CREATE TABLE stripe_payouts (
  account INTEGER NOT NULL REFERENCES accounts,
  id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  arrival_at INTEGER,
  status TEXT NOT NULL,
  amount INTEGER NOT NULL,
  currency TEXT NOT NULL,
  automatic INTEGER,
  method TEXT,
  type TEXT,
  source_type TEXT,
  reconciliation_status TEXT,
  balance_transaction_id TEXT,
  failure_balance_transaction_id TEXT,
  failure_code TEXT,
  original_payout_id TEXT,
  reversed_by_id TEXT,
  trace_status TEXT,
  trace_id TEXT,
  destination TEXT,
  payout_method TEXT,
  application_fee_id TEXT,
  amount_application_fee INTEGER,
  statement_descriptor TEXT,
  description TEXT,
  metadata TEXT,
  seen_at INTEGER NOT NULL,
  read_at INTEGER NOT NULL,
  read_seq INTEGER NOT NULL,
  source TEXT NOT NULL,
  deleted_at INTEGER,
  PRIMARY KEY (account, id)
);
CREATE TABLE checkoutcom_payments (
  account INTEGER NOT NULL REFERENCES accounts,
  id TEXT NOT NULL,
  requested_at INTEGER NOT NULL,
  status TEXT NOT NULL,
  amount INTEGER NOT NULL,
  currency TEXT NOT NULL,
  amount_requested INTEGER,
  amount_authorized INTEGER,
  amount_voided INTEGER,
  amount_captured INTEGER,
  amount_refunded INTEGER,
  amount_voidable INTEGER,
  amount_capturable INTEGER,
  amount_refundable INTEGER,
  payment_type TEXT,
  approved INTEGER,
  expires_at INTEGER,
  processed_at INTEGER,
  processing_channel_id TEXT,
  sub_entity_id TEXT,
  method_type TEXT,
  destination_type TEXT,
  card_scheme TEXT,
  card_scheme_local TEXT,
  card_type TEXT,
  card_category TEXT,
  card_wallet TEXT,
  card_country TEXT,
  card_product_id TEXT,
  card_product TEXT,
  card_bin TEXT,
  card_issuer TEXT,
  card_last4 TEXT,
  card_token TEXT,
  avs_check TEXT,
  cvv_check TEXT,
  source_id TEXT,
  three_ds_version TEXT,
  three_ds_eci TEXT,
  three_ds_enrolled TEXT,
  three_ds_response TEXT,
  three_ds_status_reason TEXT,
  three_ds_downgraded INTEGER,
  three_ds_challenged INTEGER,
  three_ds_exemption TEXT,
  three_ds_exemption_applied TEXT,
  three_ds_upgrade_reason TEXT,
  eci TEXT,
  risk_flagged INTEGER,
  risk_score INTEGER,
  mcc TEXT,
  preferred_scheme TEXT,
  account_funding INTEGER,
  scheme_transaction_id TEXT,
  reference TEXT,
  payer_token TEXT,
  customer_id TEXT,
  billing_descriptor TEXT,
  description TEXT,
  metadata TEXT,
  seen_at INTEGER NOT NULL,
  read_at INTEGER NOT NULL,
  read_seq INTEGER NOT NULL,
  source TEXT NOT NULL,
  deleted_at INTEGER,
  PRIMARY KEY (account, id)
);
CREATE INDEX checkoutcom_payments_requested ON checkoutcom_payments (account, requested_at);
CREATE TABLE checkoutcom_payment_actions (
  account INTEGER NOT NULL REFERENCES accounts,
  id TEXT NOT NULL,
  payment_id TEXT NOT NULL,
  type TEXT,
  status TEXT,
  processed_at INTEGER,
  amount INTEGER,
  currency TEXT NOT NULL,
  approved INTEGER,
  response_code TEXT,
  reason_code TEXT,
  authorization_type TEXT,
  authentication_experience TEXT,
  reference TEXT,
  auth_code TEXT,
  arn TEXT,
  retrieval_reference TEXT,
  acquirer_transaction_id TEXT,
  response_summary TEXT,
  seen_at INTEGER NOT NULL,
  read_at INTEGER NOT NULL,
  read_seq INTEGER NOT NULL,
  source TEXT NOT NULL,
  deleted_at INTEGER,
  PRIMARY KEY (account, id)
);
CREATE TABLE checkoutcom_disputes (
  account INTEGER NOT NULL REFERENCES accounts,
  id TEXT NOT NULL,
  received_at INTEGER,
  updated_at INTEGER NOT NULL,
  due_at INTEGER,
  status TEXT NOT NULL,
  amount INTEGER,
  currency TEXT,
  category TEXT,
  reason_code TEXT,
  resolved_reason TEXT,
  payment_id TEXT,
  payment_action_id TEXT,
  payment_method TEXT,
  payment_mcc TEXT,
  payment_arn TEXT,
  payment_reference TEXT,
  entity_id TEXT,
  sub_entity_id TEXT,
  processing_channel_id TEXT,
  segment_id TEXT,
  ce_candidate INTEGER,
  seen_at INTEGER NOT NULL,
  read_at INTEGER NOT NULL,
  read_seq INTEGER NOT NULL,
  source TEXT NOT NULL,
  deleted_at INTEGER,
  PRIMARY KEY (account, id)
);
INSERT INTO accounts VALUES (1, 'uuid 1', 'connection 1', 'provider 1', 'provider_account 1', 1700000000005, 1700000000006, 1700000000007);
INSERT INTO accounts VALUES (2, 'uuid 2', NULL, 'provider 2', NULL, NULL, 3400000000006, NULL);
INSERT INTO coverage VALUES (1700000000000, 1, 'stream 1', 'clock 1', 1700000000004, 1700000000005, 'method 1', 'state 1', 'cursor 1', 1700000000009, 1700000000010, 1700000000011, 1700000000012, 1700000000013, 'declaration 1', 'reason 1');
INSERT INTO coverage VALUES (3400000000000, 2, 'stream 2', 'clock 2', 3400000000004, 3400000000005, 'method 2', 'state 2', NULL, 3400000000009, 3400000000010, 3400000000011, NULL, NULL, 'declaration 2', NULL);
INSERT INTO horizons VALUES (1, 'stream 1', 1700000000002, 1700000000003, 1700000000004, 1700000000005, 1700000000006);
INSERT INTO horizons VALUES (2, 'stream 2', NULL, NULL, NULL, 3400000000005, 3400000000006);
INSERT INTO changes VALUES (1, 'stream 1', 'id 1', 1700000000003, 1700000000004, 'reason 1');
INSERT INTO changes VALUES (2, 'stream 2', 'id 2', 3400000000003, 3400000000004, 'reason 2');
INSERT INTO rounds VALUES (1, 'stream 1', 'kind 1', 1700000000003);
INSERT INTO rounds VALUES (2, 'stream 2', 'kind 2', 3400000000003);
INSERT INTO reads VALUES (1, 1700000000001, 'purpose 1', 1700000000003);
INSERT INTO reads VALUES (2, 3400000000001, 'purpose 2', 3400000000003);
INSERT INTO runs VALUES (1700000000000, 1, 'stream 1', 1700000000003, 1700000000004, 'outcome 1', 'code 1', 1700000000007, 1700000000008, 1700000000009, 1700000000010);
INSERT INTO runs VALUES (3400000000000, 2, 'stream 2', 3400000000003, NULL, NULL, NULL, 3400000000007, 3400000000008, 3400000000009, 3400000000010);
INSERT INTO problems VALUES (1, 'stream 1', 'code 1', 'detail 1', 1700000000004, 1700000000005, 1700000000006, 1700000000007);
INSERT INTO problems VALUES (NULL, NULL, 'code 2', 'detail 2', 3400000000004, 3400000000005, 3400000000006, NULL);
INSERT INTO rejected VALUES (1, 'stream 1', 'id 1', 'reason 1', 'field 1', 1700000000005, 1700000000006);
INSERT INTO rejected VALUES (2, 'stream 2', 'id 2', 'reason 2', 'field 2', 3400000000005, 3400000000006);
INSERT INTO drift VALUES (1, 'stream 1', 'field 1', 1700000000003, 1700000000004, 1700000000005);
INSERT INTO drift VALUES (2, 'stream 2', 'field 2', 3400000000003, 3400000000004, 3400000000005);
INSERT INTO checks VALUES (1, 'stream 1', 'kind 1', 1700000000003, 1700000000004, 1700000000005);
INSERT INTO checks VALUES (2, 'stream 2', 'kind 2', 3400000000003, 3400000000004, 3400000000005);
INSERT INTO config_generations VALUES (1700000000000, 'hash 1', 1700000000002, 'outcome 1', 'detail 1');
INSERT INTO config_generations VALUES (3400000000000, 'hash 2', 3400000000002, 'outcome 2', 'detail 2');
INSERT INTO state VALUES ('uuid', 'c15c0289-ec2d-4a91-a7ec-8e65a18debbe');
INSERT INTO state VALUES ('in_use', '0');
INSERT INTO state VALUES ('name 1', 'value 1');
INSERT INTO state VALUES ('name 2', 'value 2');
INSERT INTO stripe_events VALUES (1, 'id 1', 1700000000002, 'type 1', 'object 1', 'object_id 1', 'charge_id 1', 'latest_charge_id 1', 1700000000008, 1700000000009, 1700000000010, 'source 1', 1700000000012);
INSERT INTO stripe_events VALUES (2, 'id 2', 3400000000002, 'type 2', NULL, NULL, NULL, NULL, 3400000000008, 3400000000009, 3400000000010, 'source 2', NULL);
INSERT INTO stripe_charges VALUES (1, 'id 1', 1700000000002, 'status 1', 1700000000004, 'currency 1', 1700000000006, 1700000000007, 1700000000008, 'currency_presented 1', 1700000000010, 1700000000011, 1700000000012, 1700000000013, 'payment_intent_id 1', 'balance_transaction_id 1', 'failure_balance_transaction_id 1', 'review_id 1', 'outcome_type 1', 'outcome_reason 1', 'network_status 1', 'network_decline_code 1', 'network_advice_code 1', 'advice_code 1', 'risk_level 1', 1700000000025, 'failure_code 1', 'fraud_report_stripe 1', 'fraud_report_user 1', 'method_type 1', 'payment_method 1', 'card_brand 1', 'card_network 1', 'card_funding 1', 'card_country 1', 'card_regulated 1', 'card_product 1', 'card_bin 1', 'card_issuer 1', 'card_last4 1', 'card_token 1', 'avs_line1_check 1', 'avs_postal_code_check 1', 'cvc_check 1', 'three_ds_result 1', 'three_ds_result_reason 1', 'three_ds_flow 1', 'three_ds_version 1', 'three_ds_eci 1', 'three_ds_exemption 1', 1700000000050, 'eci 1', 'wallet_type 1', 1700000000053, 'stored_credential_usage 1', 'setup_credential_usage 1', 1700000000056, 1700000000057, 1700000000058, 1700000000059, 'network_transaction_id 1', 'authorization_code 1', 'present_brand 1', 'present_network 1', 'present_funding 1', 'present_country 1', 'present_token 1', 'present_read_method 1', 'billing_country 1', 'payer_token 1', 'customer_id 1', 'customer_token 1', 'application_id 1', 1700000000073, 'application_fee_id 1', 'on_behalf_of 1', 'transfer_id 1', 'transfer_destination 1', 1700000000078, 'source_transfer_id 1', 'transfer_group 1', 'description 1', 'statement_descriptor 1', 'metadata 1', 1700000000084, 1700000000085, 1700000000086, 'source 1', 1700000000088);
INSERT INTO stripe_charges VALUES (2, 'id 2', 3400000000002, 'status 2', 3400000000004, 'currency 2', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 3400000000084, 3400000000085, 3400000000086, 'source 2', NULL);
INSERT INTO stripe_refunds VALUES (1, 'id 1', 1700000000002, 'status 1', 1700000000004, 'currency 1', 1700000000006, 'currency_presented 1', 'charge_id 1', 'payment_intent_id 1', 'balance_transaction_id 1', 'failure_balance_transaction_id 1', 'reason 1', 'failure_reason 1', 'pending_reason 1', 'destination_type 1', 'card_refund_type 1', 'card_reference_type 1', 'card_reference_status 1', 'card_reference 1', 'next_action_type 1', 'transfer_reversal_id 1', 'source_transfer_reversal_id 1', 'payment_method 1', 'customer_id 1', 'description 1', 'metadata 1', 1700000000027, 1700000000028, 1700000000029, 'source 1', 1700000000031);
INSERT INTO stripe_refunds VALUES (2, 'id 2', 3400000000002, NULL, 3400000000004, 'currency 2', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 3400000000027, 3400000000028, 3400000000029, 'source 2', NULL);
INSERT INTO stripe_disputes VALUES (1, 'id 1', 1700000000002, 'status 1', 1700000000004, 'currency 1', 'charge_id 1', 'payment_intent_id 1', 'reason 1', 'network_reason_code 1', 'case_type 1', 'card_brand 1', 'card_network 1', 'method_type 1', 1700000000014, 1700000000015, 1700000000016, 1700000000017, 1700000000018, 'intended_submission 1', 'metadata 1', 1700000000021, 1700000000022, 1700000000023, 'source 1', 1700000000025);
INSERT INTO stripe_disputes VALUES (2, 'id 2', 3400000000002, 'status 2', 3400000000004, 'currency 2', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 3400000000021, 3400000000022, 3400000000023, 'source 2', NULL);
INSERT INTO stripe_payment_intents VALUES (1, 'id 1', 1700000000002, 'status 1', 1700000000004, 'currency 1', 1700000000006, 1700000000007, 1700000000008, 1700000000009, 'currency_presented 1', 'latest_charge_id 1', 'capture_method 1', 'confirmation_method 1', 'setup_future_usage 1', 1700000000015, 'cancellation_reason 1', 'next_action_type 1', 'error_type 1', 'error_code 1', 'error_decline_code 1', 'error_advice_code 1', 'error_network_decline_code 1', 'error_charge_id 1', 'processing_type 1', 1700000000025, 'payment_method 1', 'customer_id 1', 'customer_token 1', 'payer_token 1', 'review_id 1', 'application_id 1', 1700000000032, 'on_behalf_of 1', 'transfer_destination 1', 1700000000035, 'transfer_group 1', 'order_reference 1', 'description 1', 'statement_descriptor 1', 'metadata 1', 1700000000041, 1700000000042, 1700000000043, 'source 1', 1700000000045);
INSERT INTO stripe_payment_intents VALUES (2, 'id 2', 3400000000002, 'status 2', 3400000000004, 'currency 2', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 3400000000041, 3400000000042, 3400000000043, 'source 2', NULL);
INSERT INTO stripe_balance_transactions VALUES (1, 'id 1', 1700000000002, 1700000000003, 'status 1', 'type 1', 'reporting_category 1', 'balance_type 1', 1700000000008, 1700000000009, 1700000000010, 'currency 1', 'exchange_rate 1', 'source_id 1', 'description 1', 1700000000015, 1700000000016, 1700000000017, 'source 1', 1700000000019);
INSERT INTO stripe_balance_transactions VALUES (2, 'id 2', 3400000000002, NULL, NULL, 'type 2', NULL, NULL, 3400000000008, 3400000000009, 3400000000010, 'currency 2', NULL, NULL, NULL, 3400000000015, 3400000000016, 3400000000017, 'source 2', NULL);
INSERT INTO stripe_balance_transaction_fees VALUES (1, 'balance_transaction_id 1', 1700000000002, 1700000000003, 'type 1', 1700000000005, 'currency 1', 'application_id 1', 'description 1', 1700000000009, 1700000000010, 1700000000011, 'source 1', 1700000000013);
INSERT INTO stripe_balance_transaction_fees VALUES (2, 'balance_transaction_id 2', 3400000000002, 3400000000003, NULL, 3400000000005, 'currency 2', NULL, NULL, 3400000000009, 3400000000010, 3400000000011, 'source 2', NULL);
INSERT INTO stripe_payouts VALUES (1, 'id 1', 1700000000002, 1700000000003, 'status 1', 1700000000005, 'currency 1', 1700000000007, 'method 1', 'type 1', 'source_type 1', 'reconciliation_status 1', 'balance_transaction_id 1', 'failure_balance_transaction_id 1', 'failure_code 1', 'original_payout_id 1', 'reversed_by_id 1', 'trace_status 1', 'trace_id 1', 'destination 1', 'payout_method 1', 'application_fee_id 1', 1700000000022, 'statement_descriptor 1', 'description 1', 'metadata 1', 1700000000026, 1700000000027, 1700000000028, 'source 1', 1700000000030);
INSERT INTO stripe_payouts VALUES (2, 'id 2', 3400000000002, NULL, 'status 2', 3400000000005, 'currency 2', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 3400000000026, 3400000000027, 3400000000028, 'source 2', NULL);
INSERT INTO checkoutcom_payments VALUES (1, 'id 1', 1700000000002, 'status 1', 1700000000004, 'currency 1', 1700000000006, 1700000000007, 1700000000008, 1700000000009, 1700000000010, 1700000000011, 1700000000012, 1700000000013, 'payment_type 1', 1700000000015, 1700000000016, 1700000000017, 'processing_channel_id 1', 'sub_entity_id 1', 'method_type 1', 'destination_type 1', 'card_scheme 1', 'card_scheme_local 1', 'card_type 1', 'card_category 1', 'card_wallet 1', 'card_country 1', 'card_product_id 1', 'card_product 1', 'card_bin 1', 'card_issuer 1', 'card_last4 1', 'card_token 1', 'avs_check 1', 'cvv_check 1', 'source_id 1', 'three_ds_version 1', 'three_ds_eci 1', 'three_ds_enrolled 1', 'three_ds_response 1', 'three_ds_status_reason 1', 1700000000042, 1700000000043, 'three_ds_exemption 1', 'three_ds_exemption_applied 1', 'three_ds_upgrade_reason 1', 'eci 1', 1700000000048, 1700000000049, 'mcc 1', 'preferred_scheme 1', 1700000000052, 'scheme_transaction_id 1', 'reference 1', 'payer_token 1', 'customer_id 1', 'billing_descriptor 1', 'description 1', 'metadata 1', 1700000000060, 1700000000061, 1700000000062, 'source 1', 1700000000064);
INSERT INTO checkoutcom_payments VALUES (2, 'id 2', 3400000000002, 'status 2', 3400000000004, 'currency 2', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 3400000000060, 3400000000061, 3400000000062, 'source 2', NULL);
INSERT INTO checkoutcom_payment_actions VALUES (1, 'id 1', 'payment_id 1', 'type 1', 'status 1', 1700000000005, 1700000000006, 'currency 1', 1700000000008, 'response_code 1', 'reason_code 1', 'authorization_type 1', 'authentication_experience 1', 'reference 1', 'auth_code 1', 'arn 1', 'retrieval_reference 1', 'acquirer_transaction_id 1', 'response_summary 1', 1700000000019, 1700000000020, 1700000000021, 'source 1', 1700000000023);
INSERT INTO checkoutcom_payment_actions VALUES (2, 'id 2', 'payment_id 2', NULL, NULL, NULL, NULL, 'currency 2', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 3400000000019, 3400000000020, 3400000000021, 'source 2', NULL);
INSERT INTO checkoutcom_disputes VALUES (1, 'id 1', 1700000000002, 1700000000003, 1700000000004, 'status 1', 1700000000006, 'currency 1', 'category 1', 'reason_code 1', 'resolved_reason 1', 'payment_id 1', 'payment_action_id 1', 'payment_method 1', 'payment_mcc 1', 'payment_arn 1', 'payment_reference 1', 'entity_id 1', 'sub_entity_id 1', 'processing_channel_id 1', 'segment_id 1', 1700000000021, 1700000000022, 1700000000023, 1700000000024, 'source 1', 1700000000026);
INSERT INTO checkoutcom_disputes VALUES (2, 'id 2', NULL, 3400000000003, NULL, 'status 2', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 3400000000022, 3400000000023, 3400000000024, 'source 2', NULL);
