"""What each rule of the newswire pack must and must not take.

A line is a sentence, words are parted by blanks. Brackets are what the rule takes; every other
place is what it must not take.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lf_library.newswire import newswire
from lf_library.newswire.rule import RULES, NewsRule
from weaklabel.corpus import Document, Shard

TEAMS = "SOCCER - CUP\nThe striker scored two goals in the league match , the goalkeeper said .\n"
SINGLES = "TENNIS - OPEN\nThe seeded champion won the singles tournament in the final set .\n"

RULE_CASES = {
    "person_full_name": [
        "Mr Jones met [Anna Berg] and [John Smith] .",
        "The James Bond Ltd company and New York",
    ],
    "person_initials": ["[J. Berg] and [J.P. Morten] came .", "The U.S. Congress in St. Louis ."],
    "person_middle_initial": ["So [Anna B. Lund] came .", "The U.S. D. Berg"],
    "person_titled": [
        "He saw President [Halvorsen] and Mr [Lund] .",
        "The President said that Prime Minister was no name .",
    ],
    "person_in_role": ["Police spokesman [Lund] denied it .", "The spokesman Monday denied it ."],
    "person_speaks": [
        "[Halvorsen] said on Monday that Oslo would pay .",
        "Norway said so . The Ministry of Trade said so . Statoil said it paid .",
    ],
    "person_of_age": ["Police held [Anna Lund] , 35 , on Monday .", "In Oslo , 35 , or more ."],
    "person_from_country": [
        SINGLES + "[Ola Lund] ( Norway ) beat [Nils Holm] ( Sweden ) 6-3 6-4",
        TEAMS + "Lillevik ( Norway ) beat Holmby ( Sweden ) 6-3",
        "The Halden Group ( Norway ) bought it .",
    ],
    "person_known_parts": ["So [Anna Halvorsen] left .", "So Anna left ."],
    "person_surname": ["Then [Halvorsen] left .", "Then Paris left and Monday came ."],
    "person_surname_in_sport": [TEAMS + "Then [Halvorsen] left .", "Then Halvorsen left ."],
    "person_first_name": ["Then [Margit] left .", "Then Oslo left ."],
    "person_particle": ["So [Rik van der Lund] left .", "So he left de facto van der ."],
    "person_in_scorecard": [
        "CRICKET - TEST\nFirst innings , the batsman took a wicket\n[A. Lund] b [Holm] 31\n"
        "[B. Dahl] not out 94",
        "The plan b was not out .",
    ],
    "person_scored": [
        TEAMS + "Scorers : [Lund] ( 35th minute ) , [Holm] ( 80th )",
        "The plan of Lund ( 35th minute ) was his .",
    ],
    "place_dateline": ["[OSLO] 1996-08-22\nIn 1996-08-22 Statoil paid .", "Statoil paid ."],
    "place_dateline_agency": [
        "[OSLO] , Aug 22 ( AP ) - It rained .\n[BERGEN] ( Reuters ) - It rained .",
        "NATO ( Brussels ) paid .\nIn OSLO ( AP ) it rained .",
    ],
    "place_dateline_city": ["[BERGEN] , Norway 1996-08-22", "BERGEN , Norway paid for it all ."],
    "place_country": ["Trade of [Norway] with [South Africa] .", "Norwegian trade ."],
    "place_known": ["The [U.S.] and [Western Europe] paid .", "The Norwegian and we paid us ."],
    "place_state": ["In Fargo , [N.D.] , it rained .", "The N.D. man , he said ."],
    "place_city": ["From [Oslo] to [Kuala Lumpur] .", TEAMS + "Then Oslo lost ."],
    "place_city_in_sport": [TEAMS + "They played in [Oslo] and beat Oslo .", "In Oslo ."],
    "place_town": ["He lives in [Lillehammer] now .", "Lillehammer pays ."],
    "place_after_in": ["They met in [Brumunddal] .", "They met in March in Norwegian ."],
    "place_before_country": [
        "So to [Brumunddal] , Norway , he went .",
        "So Anna Jones , Norway and we came .",
    ],
    "place_in_parentheses": ["So Lund ( [Norway] ) won .", "So Lund ( Norway , 3 ) won ."],
    "place_by_kind": ["By the [Glomma River] and [Lake Mjosa] .", "The lake and Anna Hill"],
    "place_compass": ["In [South Oslo] it rained .", "In southern Oslo it rained ."],
    "place_shouted": ["PROTEST OVER [NORWAY] FISHING TALKS", "Protest over Norway talks"],
    "place_scheduled": [TEAMS + "LILLEVIK AT [HOLMBY]", "THE MEETING IS AT OSLO TODAY"],
    "organisation_company": ["So [Lund Corp] and [Holm & Dahl Inc] paid .", "The Corp paid ."],
    "organisation_by_kind": ["So [Lund University] paid .", "The university of Anna Bank ."],
    "organisation_of": ["So the [Ministry of Trade] paid .", "The Mayor of Oslo paid ."],
    "organisation_known": ["[NATO] and the [World Bank] paid .", "The bank of the world paid ."],
    "organisation_acronym": ["The [NBXY] paid .", "THE NBXY PAYS UP AGAIN\nThe US and GMT and Q2"],
    "organisation_defined": ["The [Norsk Bergverk] ( NBXY ) paid .", "Ola Lund ( 35 ) paid ."],
    "organisation_its_acronym": ["The Norsk Bergverk ( [NBXY] ) paid .", "He ( NBXY ) paid ."],
    "organisation_ampersand": ["So [Lund & Dahl] paid .", "So Lund and Dahl paid ."],
    "organisation_article": ["He told [La Prensa Libre] so .", "In Las Vegas and El Salvador"],
    "organisation_bureau": ["-- [Oslo Newsroom] , +47 22 41",
                            "The newsroom of Oslo"],
    "organisation_shares": ["So [Bergtec] shares fell .", "So Norway shares fell ."],
    "misc_people": ["The [German] and the [Kurds] met .", "The people of Germany met ."],
    "misc_two_peoples": ["A [Bosnian Serb] leader", "A Bosnian leader from South Oslo"],
    "misc_compound": ["The [U.S.-led] and [German-born] ones", "The state-led and well-born ones"],
    "misc_event": ["The [Rosfjord Cup] and the [Dayton Accord] .", "The cup of Rosfjord ."],
    "misc_league": [TEAMS + "In the [Elite Division] he won .", "The Elite Division marched ."],
    "misc_known": ["At [Christmas] we came .", "At the end we came ."],
    "misc_numbered": ["An [Airbus 320] landed .", "An Airbus landed with 320 people ."],
    "misc_quoted_title": ['He sang " [Blue Fjord Night] " there .', 'He sang " Fjord " there .'],
    "team_result": [
        TEAMS + "[Lillevik] 2 [Holmby] 1", "Lillevik 2 Holmby 1", TEAMS + "France 2 Italy 1",
    ],
    "team_standing": [TEAMS + "[Lillevik] 3 2 1 0 5", TEAMS + "Norway 3 2 1 0 5"],
    "team_by_name": [TEAMS + "Then [Lund United] lost .", "Then Lund United lost ."],
    "team_city": [TEAMS + "Then [Oslo] lost in Bergen .", "Then Oslo lost ."],
    "team_the": [TEAMS + "Then the [Otters] lost to the Germans .", "Then the Otters lost ."],
    "team_in_parentheses": [TEAMS + "Ola Lund ( [Lillevik] )", TEAMS + "Ola Lund ( Norway )"],
    "team_from_country": [
        TEAMS + "[Lillevik] ( Norway ) lost", SINGLES + "Ola Lund ( Norway ) lost",
    ],
    "team_against": [TEAMS + "They beat [Lillevik] at home", TEAMS + "They beat Norway at home"],
    "team_of_racer": [
        "CYCLING - TOUR\nThe cycling champion won the sprint , lap and title\n"
        "1. Ola Lund ( Norway ) [Bergtec] 4:12:05",
        TEAMS + "1. Ola Lund ( Norway ) Bergtec 4:12:05",
    ],
    "team_scheduled": [TEAMS + "[LILLEVIK] AT HOLMBY", "THE MEETING IS AT OSLO TODAY"],
}  # fmt: skip

LISTED = {
    "person_known_athlete": ["So [Grotl Vang] left .", "So Grotl Berg left ."],
    "person_known_politician": ["So [Trygd Vang] left .", "So Trygd Berg left ."],
    "organisation_company_known": ["So [Blixo Spark] paid .", "So Anna Jones paid ."],
    "organisation_agency_known": ["So [Statsverk Tolv] paid .", "So Verk Tolv paid ."],
    "organisation_newspaper": ["So the [Dagsrevy] newspaper wrote .", "So the Dagsrevy went ."],
    "misc_event_known": ["At the [Fjellopp Femti] we ran .", "At the Femti we ran ."],
    "team_known": [TEAMS + "Then [Ullkutt] lost .", "Then Ullkutt lost ."],
}

FOLDER = {
    "freebase/sports.pro_athlete": "Grotl Vang",
    "freebase/government.politician": "Trygd Vang",
    "freebase/business.sponsor": "Blixo Spark\nAnna Jones",
    "freebase/government.government_agency": "Statsverk Tolv",
    "freebase/book.newspaper": "Dagsrevy",
    "freebase/time.recurring_event": "Fjellopp Femti",
    "freebase/sports.sports_team": "Ullkutt",
    "names/surnames/all.txt": "Halvorsen\nLund\nJones\nParis",
    "names/first_names/all.txt": "Margit",
}


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("gazetteers")
    for place, names in FOLDER.items():
        path = Path(folder) / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(names + "\n", encoding="utf-8")
    return str(folder)


def marked(text: str) -> tuple[Document, list[tuple[int, int]]]:
    """A document, and the token extents of what stands in brackets."""
    sentences = [line.split() for line in re.sub(r"[\[\]]", "", text).splitlines()]
    spans, position = [], 0
    for part in re.split(r"(\[[^]]*\])", text):
        size = len(part.strip("[]").split())
        if part.startswith("["):
            spans.append((position, position + size))
        position += size
    return Document.from_tokens("0", sentences), spans


@pytest.mark.parametrize(
    ("rule", "text"), [(r, t) for r, texts in (RULE_CASES | LISTED).items() for t in texts]
)
def test_a_rule_takes_what_is_marked_and_nothing_else(rule: str, text: str, lists: str) -> None:
    document, expected = marked(text)
    source = next(s for s in newswire(lists) if s.name == rule)
    assert isinstance(source, NewsRule)
    cast = source(Shard.from_documents([document]))
    assert sorted(zip(cast.start.tolist(), cast.end.tolist(), strict=True)) == expected


def test_every_rule_has_cases() -> None:
    assert {name for name, _, _ in RULES} == set(RULE_CASES | LISTED)
    for texts in (RULE_CASES | LISTED).values():
        assert any("[" in text for text in texts)
