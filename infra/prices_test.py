"""Tests of infra/prices. Run with `python3 -m unittest discover --start-directory infra --pattern '*_test.py'`."""

import contextlib
import importlib.machinery
import importlib.util
import io
import json
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

sys.dont_write_bytecode = True
SCRIPT = pathlib.Path(__file__).resolve().parent / "prices"
loader = importlib.machinery.SourceFileLoader("prices", str(SCRIPT))
prices = importlib.util.module_from_spec(importlib.util.spec_from_loader("prices", loader))
loader.exec_module(prices)


def entry(plain="0.000003", output="0.000015", provider="bedrock_converse", **more):
    known = {"litellm_provider": provider, "mode": "chat", "input_cost_per_token": plain, "output_cost_per_token": output}
    return {**known, **more}


def tables(cost_map, families=None):
    if families is None:
        families = {name: "v.m" for key in cost_map if (name := key.split("/")[-1]).endswith("v.m")}
    return prices.tables(cost_map, families)


def listed(cost_map):
    return tables(cost_map)[0].get("v.m")


class Selection(unittest.TestCase):
    def test_the_dearest_of_the_bare_the_geographic_and_the_global_id_counts_in_each_column(self):
        cost_map = {
            "v.m": entry("0.000003", "0.00002"),
            "us.v.m": entry("0.0000033", "0.000016"),
            "global.v.m": entry("0.000001", "0.000001"),
        }
        self.assertEqual(listed(cost_map)["standard"], (3_300_000, 20_000_000, 3_300_000, 3_300_000, 3_300_000))

    def test_other_regions_governments_commitments_and_endpoints_do_not_count(self):
        dear = entry("1", "1")
        for key in (
            "eu.v.m",
            "us-gov.v.m",
            "bedrock/eu-west-1/v.m",
            "bedrock/us-gov-west-1/v.m",
            "bedrock/us-east-1/1-month-commitment/v.m",
            "bedrock/claude_platform/v.m",
        ):
            self.assertEqual(listed({key: dear, "v.m": entry()})["standard"][0], 3_000_000, key)
            self.assertIsNone(listed({key: dear}), key)
        mantle = entry("1", "1", provider="bedrock_mantle")
        self.assertIsNone(listed({"v.m": mantle}))
        for key in ("bedrock/us-east-1/v.m", "bedrock/us-west-2/v.m", "bedrock/us.v.m", "bedrock/invoke/v.m"):
            self.assertEqual(listed({key: entry()})["standard"][0], 3_000_000, key)

    def test_only_chat_models_of_bedrock_that_the_sentry_serves_count(self):
        self.assertIsNone(listed({"v.m": entry(provider="vertex_ai")}))
        self.assertIsNone(listed({"v.m": entry(mode="embedding")}))
        self.assertEqual(tables({"v.m": entry()}, {"v.m": ""}), ({}, {}))


class Columns(unittest.TestCase):
    def test_a_fraction_of_a_micro_dollar_is_rounded_up(self):
        self.assertEqual(listed({"v.m": entry("0.0000000000001", "0.000001")})["standard"][0], 1)

    def test_each_kind_of_token_has_its_price(self):
        found = listed({"v.m": entry(
            cache_read_input_token_cost="0.0000003", cache_creation_input_token_cost="0.00000375",
            cache_creation_input_token_cost_above_1hr="0.0000061")})
        self.assertEqual(found, {"standard": (3_000_000, 15_000_000, 300_000, 3_750_000, 6_100_000)})

    def test_writes_for_an_hour_cost_twice_the_input_where_only_those_for_five_minutes_are_listed(self):
        found = listed({"v.m": entry(cache_creation_input_token_cost="0.00000375")})
        self.assertEqual(found["standard"][3:], (3_750_000, 6_000_000))

    def test_tiers_have_prices_of_their_own(self):
        found = listed({"v.m": entry(
            input_cost_per_token_flex="0.000001", output_cost_per_token_flex="0.000002",
            cache_read_input_token_cost_flex="0.0000001",
            input_cost_per_token_priority="0.000005", output_cost_per_token_priority="0.000006")})
        self.assertEqual(found["flex"], (1_000_000, 2_000_000, 100_000, 1_000_000, 1_000_000))
        self.assertEqual(found["priority"], (5_000_000, 6_000_000, 5_000_000, 5_000_000, 5_000_000))

    def test_long_inputs_have_a_threshold_and_the_smallest_counts(self):
        def long(thousands):
            return entry(**{
                f"input_cost_per_token_above_{thousands}k_tokens": "0.000006",
                f"output_cost_per_token_above_{thousands}k_tokens": "0.000022"})

        expected = (200_000, 6_000_000, 22_000_000, 6_000_000, 6_000_000, 6_000_000)
        self.assertEqual(listed({"v.m": long(272), "us.v.m": long(200)})["long"], expected)
        self.assertEqual(listed({"v.m": entry(), "us.v.m": long(200)})["long"], expected)

    def test_what_the_tables_cannot_hold_is_refused(self):
        long = {"input_cost_per_token_above_200k_tokens": "1", "output_cost_per_token_above_200k_tokens": "1"}
        flex = {"input_cost_per_token_flex": "1", "output_cost_per_token_flex": "1"}
        for what, cost_map in {
            "a long price beside a tier": {"v.m": entry(**long, **flex)},
            "the same in two entries": {"v.m": entry(**long), "us.v.m": entry(**flex)},
            "two thresholds": {"v.m": entry(**long, input_cost_per_token_above_100k_tokens="1", output_cost_per_token_above_100k_tokens="1")},
            "a tier without an output price": {"v.m": entry(input_cost_per_token_flex="1")},
            "a tier without the price of writes": {"v.m": entry(cache_creation_input_token_cost="1", **flex)},
        }.items():
            with self.subTest(what), self.assertRaises(prices.Unusable):
                tables(cost_map)


class Windows(unittest.TestCase):
    def window(self, cost_map):
        return tables(cost_map)[1].get("v.m")

    def test_the_largest_number_that_is_written_so_counts(self):
        self.assertEqual(self.window({"v.m": entry(max_input_tokens=128_000)}), 131_072)
        self.assertEqual(self.window({"v.m": entry(max_input_tokens=1_000_000)}), 1_048_576)
        self.assertIsNone(self.window({"v.m": entry()}))

    def test_the_largest_of_all_ids_counts_wherever_they_are(self):
        cost_map = {"v.m": entry(max_input_tokens=1_000), "eu.v.m": entry(max_input_tokens=2_000)}
        self.assertEqual(self.window(cost_map), 2_048)

    def test_a_window_that_is_stated_larger_elsewhere_counts(self):
        with mock.patch.dict(prices.WIDER, {"v.m": 1_000_000}):
            self.assertEqual(self.window({"v.m": entry(max_input_tokens=200_000)}), 1_048_576)


class Tables(unittest.TestCase):
    LISTED = {
        "v.m": {"standard": (1, 2, 3, 4, 5)},
        "anthropic.a-model-with-a-name-so-long-that-rustfmt-breaks-the-line-v1:0": {
            "standard": (11_000_000, 55_000_000, 1_100_000, 13_750_000, 22_000_000),
            "flex": (6, 7, 8, 9, 10),
            "priority": (1_000, 2_000, 3_000, 4_000, 5_000),
            "long": (200_000, 6_000_000, 24_750_000, 660_000, 8_250_000, 13_200_000),
        },
    }

    def test_a_table_that_was_written_is_read_again(self):
        source = prices.rustfmt(prices.price_table(self.LISTED, "1.2.3", "2026-11-24"))
        self.assertEqual(prices.read_price_table(source), self.LISTED)
        self.assertIn('AS_OF: &str = "2026-11-24"', source)
        self.assertIn("(1.2.3)", source)
        windows = prices.rustfmt(prices.window_table({"v.m": 131_072}, "1.2.3", "2026-11-24"))
        self.assertEqual(prices.read_window_table(windows), {"v.m": {"window": (131_072,)}})

    def test_the_tables_of_the_repository_are_what_the_script_writes(self):
        source = prices.PRICES.read_text()
        self.assertEqual(prices.rustfmt(prices.price_table(prices.read_price_table(source), prices.VERSION, prices.AS_OF)), source)

    def test_the_difference_says_what_was_added_removed_and_changed(self):
        before = {"a.a": {"standard": (100, 100, 1, 1, 1)}, "b.b": {"standard": (1, 1, 1, 1, 1)}}
        after = {"a.a": {"standard": (110, 100, 1, 1, 1), "long": (200_000, 1, 1, 1, 1, 1)}}
        lines = list(prices.difference(before, after))
        self.assertEqual(lines[0], "changed  a.a standard.input $0.0001 -> $0.00011 (+10.0 %)")
        self.assertIn("added    a.a long.above 200,000", lines)
        self.assertIn("removed  b.b standard.input $0.000001", lines)
        self.assertEqual(list(prices.difference(before, before)), [])

    def test_nothing_is_written_unless_that_is_asked_for(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            table, windows, source = folder / "table.rs", folder / "windows.rs", folder / "map.json"
            table.write_text("")
            windows.write_text("")
            source.write_text(json.dumps({"v.m": entry(max_input_tokens=1_000)}))
            patched = mock.patch.multiple(prices, PRICES=table, WINDOWS=windows, families=lambda ids: {name: name for name in ids})
            for arguments, written in ([], False), (["--write"], True):
                out = io.StringIO()
                command = ["prices", "--source", str(source), *arguments]
                with patched, mock.patch.object(sys, "argv", command), contextlib.redirect_stdout(out):
                    prices.main()
                self.assertIn("added    v.m standard.input $3", out.getvalue())
                self.assertEqual((bool(table.read_text()), bool(windows.read_text())), (written, written))


if __name__ == "__main__":
    unittest.main()
