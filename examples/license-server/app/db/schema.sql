CREATE TABLE IF NOT EXISTS licenses (
  key           text PRIMARY KEY,
  product       text NOT NULL,
  registered_at timestamptz NOT NULL DEFAULT now()
);
