"""How each kind of fact is asked and told, in English and in Chinese.

Placeholders: `{e}` the entity as a phrase ("a cow", "France"), `{E}` the same capitalised,
`{n}` without its article, `{v}` the value, `{av}` the value with its article, `{s}` and `{c}` a
sum with signs ("2 + 3", "2+3"). This module knows words, not facts.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Relation:
    """One column of a table of facts.

    Attributes:
        kind: The table, e.g. `countries`.
        column: The column that holds the value.
        label: The name of the value in a list, e.g. `Capital`.
        questions: Ways to ask; the first is the plainest.
        statements: Ways to answer in a sentence; each names the entity and the value.
        prose: Further ways to tell it when the entity has just been named.
        follow_ups: Ways to ask about an entity that the talk is already about.
        entity_column: The column that names the entity.
        language: `en` or `zh`.
    """

    kind: str
    column: str
    label: str
    questions: tuple[str, ...]
    statements: tuple[str, ...]
    prose: tuple[str, ...] = ()
    follow_ups: tuple[str, ...] = ()
    entity_column: str = "entity"
    language: str = "en"

    @property
    def name(self) -> str:
        """A unique name, e.g. `countries.capital`."""
        return f"{self.kind}.{self.column}"


TOPICS: dict[str, str] = {
    "countries": "Country",
    "animals": "Animal",
    "foods": "Food",
    "tools": "Thing",
    "jobs": "Job",
    "planets": "Planet",
    "opposites": "Word",
    "works": "Title",
    "inventions": "Idea",
    "landmarks": "Place",
    "elements": "Element",
    "sports": "Sport",
    "instruments": "Instrument",
    "vehicles": "Vehicle",
    "body": "Body part",
    "shapes": "Shape",
    "calendar": "Date",
    "plurals": "Word",
    "mixes": "Colors",
    "terms": "Term",
    "reasons": "Topic",
    "howtos": "Task",
    "sums": "Numbers",
}
"""The word for an entity of each table at the head of a list."""

ZH_TOPICS: dict[str, str] = {
    "countries": "国家",
    "animals": "动物",
    "foods": "食物",
    "opposites": "词语",
    "zh_reasons": "问题",
}


def _relation(
    kind: str,
    column: str,
    label: str,
    questions: str,
    statements: str,
    prose: str = "",
    follow_ups: str = "",
) -> Relation:
    def split(text: str) -> tuple[str, ...]:
        return tuple(part.strip() for part in text.split("|") if part.strip())

    language = "zh" if column.startswith("zh") or kind.startswith("zh") else "en"
    entity_column = "zh" if column.startswith("zh_") else "entity"
    return Relation(
        kind,
        column,
        label,
        split(questions),
        split(statements),
        split(prose),
        split(follow_ups),
        entity_column,
        language,
    )


RELATIONS: tuple[Relation, ...] = (
    _relation(
        "countries",
        "capital",
        "Capital",
        "What is the capital of {e}? | Which city is the capital of {e}? | Name the capital of {e}."
        " | What's the capital of {e}? | Tell me the capital of {e}. | Do you know the capital of"
        " {e}? | What is {e}'s capital? | The capital of {e}?",
        "The capital of {e} is {v}. | {v} is the capital of {e}.",
        "Its capital is {v}. | The capital city is {v}.",
        "And its capital? | What is its capital? | Which city is its capital?",
    ),
    _relation(
        "countries",
        "language",
        "Language",
        "What language do people speak in {e}? | Which language is spoken in {e}? | What language"
        " is spoken in {e}? | What do they speak in {e}? | What is the language of {e}?",
        "People in {e} speak {v}. | The language of {e} is {v}.",
        "People there speak {v}. | Its language is {v}.",
        "And its language? | What language do they speak there? | Which language is spoken there?",
    ),
    _relation(
        "countries",
        "continent",
        "Continent",
        "Which continent is {e} in? | What continent is {e} in? | Where is {e}? | On which"
        " continent is {e}? | Where in the world is {e}?",
        "{E} is in {v}. | {E} lies in {v}.",
        "It is in {v}. | It is a country in {v}.",
        "And its continent? | Where is it? | Which continent is it in?",
    ),
    _relation(
        "countries",
        "currency",
        "Currency",
        "What is the currency of {e}? | What money do people use in {e}? | Which currency does {e}"
        " use? | What do people pay with in {e}? | What is the money of {e} called?",
        "The currency of {e} is the {v}. | People in {e} pay with the {v}.",
        "Its currency is the {v}. | People there pay with the {v}.",
        "And its currency? | What money do they use there?",
    ),
    _relation(
        "animals",
        "class",
        "Kind",
        "What kind of animal is {e}? | Which group of animals does {e} belong to? | What type of"
        " animal is {e}? | What is {e}?",
        "{E} is a kind of {v}. | {E} belongs to the group {v}.",
        "It is a kind of {v}. | This animal is a kind of {v}.",
        "And what kind of animal is it? | What type of animal is it?",
    ),
    _relation(
        "animals",
        "food",
        "Food",
        "What does {e} eat? | What do you feed {e}? | What is the food of {e}? | What does {e} like to eat?",
        "{E} eats {v}. | {E} feeds on {v}.",
        "It eats {v}. | Its food is {v}.",
        "And what does it eat? | What is its food?",
    ),
    _relation(
        "animals",
        "home",
        "Home",
        "Where does {e} live? | Where can you find {e}? | What is the home of {e}? | Where would I see {e}?",
        "{E} lives in {v}. | You can find {e} in {v}.",
        "It lives in {v}. | Its home is in {v}.",
        "And where does it live? | Where is its home?",
    ),
    _relation(
        "animals",
        "legs",
        "Legs",
        "How many legs does {e} have? | How many legs has {e}? | What number of legs does {e} have?",
        "{E} has {v} legs. | There are {v} legs on {e}.",
        "It has {v} legs.",
        "And how many legs does it have? | How many legs?",
    ),
    _relation(
        "animals",
        "baby",
        "Young",
        "What is the young of {e} called? | What is the baby of {e} called? | What do you call the"
        " young of {e}?",
        "The young of {e} is called {av}. | A baby {n} is called {av}.",
        "Its young is called {av}.",
        "And its young? | What is its baby called?",
    ),
    _relation(
        "animals",
        "sound",
        "Sound",
        "What sound does {e} make? | What does {e} sound like? | What is the sound of {e}?",
        "The sound of {e} is {av}. | {E} makes the sound {v}.",
        "Its sound is {av}.",
        "And its sound? | What sound does it make?",
    ),
    _relation(
        "foods",
        "kind",
        "Kind",
        "What kind of food is {e}? | What type of food is {e}? | Which kind of food is {e}?",
        "{E} is a kind of {v}.",
        "It is a kind of {v}.",
        "And what kind of food is it?",
    ),
    _relation(
        "foods",
        "color",
        "Color",
        "What color is {e}? | Which color is {e}? | What is the color of {e}? | What colour is {e}?",
        "{E} is {v}. | The color of {e} is {v}.",
        "Its color is {v}. | It looks {v}.",
        "And its color? | What color is it?",
    ),
    _relation(
        "foods",
        "taste",
        "Taste",
        "What does {e} taste like? | How does {e} taste? | What is the taste of {e}?",
        "{E} tastes {v}. | The taste of {e} is {v}.",
        "It tastes {v}. | Its taste is {v}.",
        "And its taste? | How does it taste?",
    ),
    _relation(
        "tools",
        "use",
        "Use",
        "What is the use of {e}? | What do you use {e} for? | What can I do with {e}? | What is {e} for?",
        "You use {e} for {v}. | The use of {e} is {v}.",
        "It is used for {v}. | People use it for {v}.",
        "And what is it for? | What do you do with it?",
    ),
    _relation(
        "jobs",
        "task",
        "Task",
        "What does {e} do? | What is the job of {e}? | What is the work of {e}? | What does {e} do all day?",
        "{E} {v}. | The person who {v} is {e}.",
        "Such a person {v}.",
        "And what does such a person do?",
    ),
    _relation(
        "planets",
        "position",
        "Position",
        "Which planet from the Sun is {e}? | What place from the Sun does {e} have? | How far from"
        " the Sun is {e}?",
        "{E} is the {v} planet from the Sun.",
        "It is the {v} planet from the Sun.",
        "And its place from the Sun?",
    ),
    _relation(
        "planets",
        "color",
        "Color",
        "What color is {e}? | Which color is {e}? | What is the color of {e}? | What color is the"
        " planet {e}?",
        "The planet {e} is {v}. | The color of {e} is {v}.",
        "Its color is {v}.",
        "And its color? | What color is it?",
    ),
    _relation(
        "planets",
        "moons",
        "Moons",
        "How many moons does {e} have? | What number of moons does {e} have?",
        "The number of moons of {e} is {v}. | {E} has {v} moons in the sky.",
        "The number of its moons is {v}.",
        "And its moons? | How many moons does it have?",
    ),
    _relation(
        "planets",
        "known",
        "Known for",
        "What is the planet {e} known for? | Why is the planet {e} famous? | What is special about {e}?",
        "The planet {e} is known for {v}.",
        "It is known for {v}.",
        "And what is it known for?",
    ),
    _relation(
        "opposites",
        "opposite",
        "Opposite",
        "What is the opposite of {e}? | What's the opposite of {e}? | Which word is the opposite of"
        " {e}? | Give me the opposite of {e}. | The opposite of {e}?",
        "The opposite of {e} is {v}.",
        "",
        "",
    ),
    _relation(
        "works",
        "author",
        "Author",
        "Who wrote {e}? | Who is the author of {e}? | Which writer wrote {e}?",
        "{E} was written by {v}. | The author of {e} is {v}.",
        "It was written by {v}.",
        "And its author? | Who wrote it?",
    ),
    _relation(
        "inventions",
        "inventor",
        "Person",
        "Who gave us {e}? | Who is known for {e}? | Who discovered or invented {e}? | Who invented"
        " {e}? | Who discovered {e}?",
        "We owe {e} to {v}.",
        "We owe it to {v}.",
        "And who gave it to us?",
    ),
    _relation(
        "landmarks",
        "country",
        "Country",
        "Where is {e}? | Which country is {e} in? | In which country can I see {e}?",
        "{E} is in {v}. | You can see {e} in {v}.",
        "It is in {v}.",
        "And where is it? | Which country is it in?",
    ),
    _relation(
        "elements",
        "symbol",
        "Symbol",
        "What is the symbol for {e}? | What is the chemical symbol of {e}? | Which symbol does {e} have?",
        "The symbol for {e} is {v}.",
        "Its symbol is {v}.",
        "And its symbol? | What is its symbol?",
    ),
    _relation(
        "sports",
        "gear",
        "Gear",
        "What do you need for {e}? | What do I need to play {e}? | What gear does {e} need?",
        "For {e} you need {v}.",
        "You need {v} for it.",
        "And what do I need for it?",
    ),
    _relation(
        "instruments",
        "family",
        "Family",
        "Which family does {e} belong to? | What kind of instrument is {e}? | What type of"
        " instrument is {e}?",
        "{E} is a {v} instrument.",
        "It is a {v} instrument.",
        "And what kind of instrument is it?",
    ),
    _relation(
        "vehicles",
        "way",
        "Way",
        "Where does {e} travel? | Where does {e} move?",
        "{E} travels {v}.",
        "It travels {v}.",
        "And where does it travel?",
    ),
    _relation(
        "vehicles",
        "wheels",
        "Wheels",
        "How many wheels does {e} have? | How many wheels are on {e}?",
        "{E} has {v} wheels.",
        "It has {v} wheels.",
        "And how many wheels does it have?",
    ),
    _relation(
        "body",
        "job",
        "Job",
        "What do we use {e} for? | What is the job of {e} in the body? | What does the body do with {e}?",
        "We use {e} to {v}. | The job of {e} is to {v}.",
        "The body uses this part to {v}.",
        "",
    ),
    _relation(
        "shapes",
        "sides",
        "Sides",
        "How many sides does {e} have? | How many straight sides are on {e}?",
        "{E} has {v} straight sides.",
        "It has {v} straight sides.",
        "And how many sides does it have?",
    ),
    _relation(
        "calendar",
        "next",
        "Next",
        "What comes after {e}? | Which one follows {e}? | What is after {e}?",
        "After {e} comes {v}.",
        "After it comes {v}.",
        "And what comes after it?",
    ),
    _relation(
        "calendar",
        "before",
        "Before",
        "What comes before {e}? | Which one stands before {e}? | What is before {e}?",
        "Before {e} comes {v}.",
        "Before it comes {v}.",
        "And what comes before it?",
    ),
    _relation(
        "calendar",
        "days",
        "Days",
        "How many days are in {e}? | How many days does {e} have? | How long is {e}?",
        "{E} has {v} days.",
        "It has {v} days.",
        "And how many days does it have?",
    ),
    _relation(
        "calendar",
        "season",
        "Season",
        "Which season is {e} in? | What season is it in {e}?",
        "In the north {e} belongs to {v}.",
        "In the north it belongs to {v}.",
        "And its season?",
    ),
    _relation(
        "plurals",
        "plural",
        "Plural",
        "What is the plural of {e}? | What is the plural form of {e}? | What do you say for more"
        " than one {e}?",
        "The plural of {e} is {v}.",
    ),
    _relation(
        "mixes",
        "mix",
        "Mix",
        "What do you get when you mix {e}? | What color do {e} make? | Which color comes from {e}?",
        "If you mix {e} you get {v}.",
    ),
    _relation(
        "terms",
        "meaning",
        "Meaning",
        "What is {e}? | What does the word {n} mean? | Can you explain what {e} is? | Explain {e}.",
        "{E} is {v}.",
    ),
    _relation(
        "reasons",
        "because",
        "Reason",
        "Why is it that {e}? | Can you explain why {e}? | How come {e}? | What is the reason that {e}?",
        "{E} because {v}.",
    ),
    _relation(
        "howtos",
        "steps",
        "Steps",
        "How do I {e}? | How can I {e}? | How do you {e}? | Tell me how to {e}. | What is the best"
        " way to {e}?",
        "To {e}, {v}.",
    ),
    _relation(
        "sums",
        "sum",
        "Sum",
        "What is {e}? | How much is {e}? | What is {s}? | {c}? | How much is {s}? | {e}?",
        "{E} is {v}. | {E} makes {v}.",
    ),
    _relation(
        "countries",
        "zh_capital",
        "首都",
        "{e}的首都是哪里？ | {e}的首都是什么？ | {e}的首都在哪儿？ | 请问{e}的首都是哪里？",
        "{e}的首都是{v}。",
        "首都是{v}。",
        "那它的首都呢？ | 它的首都是哪里？",
    ),
    _relation(
        "countries",
        "zh_language",
        "语言",
        "{e}人说什么语言？ | {e}的语言是什么？ | {e}人说什么话？",
        "{e}人说{v}。",
        "那里的人说{v}。",
        "那它的语言呢？ | 那里的人说什么语言？",
    ),
    _relation(
        "countries",
        "zh_continent",
        "大洲",
        "{e}在哪个洲？ | {e}在哪里？ | {e}位于哪个大洲？",
        "{e}在{v}。",
        "它在{v}。",
        "那它在哪个洲？",
    ),
    _relation(
        "animals",
        "zh_food",
        "食物",
        "{e}吃什么？ | {e}喜欢吃什么？ | {e}的食物是什么？",
        "{e}吃{v}。",
        "它吃{v}。",
        "那它吃什么？",
    ),
    _relation(
        "animals",
        "zh_home",
        "住处",
        "{e}住在哪里？ | {e}生活在哪里？ | 在哪里能看到{e}？",
        "{e}住在{v}。",
        "它住在{v}。",
        "那它住在哪里？",
    ),
    _relation(
        "foods",
        "zh_color",
        "颜色",
        "{e}是什么颜色的？ | {e}的颜色是什么？ | {e}是什么颜色？",
        "{e}是{v}的。",
        "它是{v}的。",
        "那它的颜色呢？",
    ),
    _relation(
        "opposites",
        "zh_opposite",
        "反义词",
        "{e}的反义词是什么？ | “{e}”的反义词是什么？",
        "{e}的反义词是{v}。",
    ),
    _relation(
        "zh_reasons",
        "because",
        "原因",
        "为什么{e}？ | 请问为什么{e}？",
        "{e}，因为{v}。",
    ),
)
