"""What search finds, in which order, and what it shows: one table for the pure functions and for every engine.

In a text ``|`` stands between title, properties and body; an answer names the texts by their places, the best first.
"""

# ruff: noqa: RUF001  letters of all scripts are what this is about

import msgspec

from hookbridge.text import Fields


class Case(msgspec.Struct, frozen=True):
    """One query over some records."""

    about: str
    texts: tuple[str, ...]
    query: str
    found: tuple[int, ...]
    """In their order."""
    shown: str | None = None
    """Of the first one."""

    @property
    def records(self) -> list[Fields]:
        """The records, the first one changed last."""
        return [_fields(text) for text in self.texts]


def _fields(text: str) -> Fields:
    parts = [part.strip() for part in text.split("|")]
    title, properties, body = parts + [""] * (3 - len(parts))
    return Fields(title, properties, body)


def _one(about: str, text: str, *queries: str, shown: str | None = None) -> list[Case]:
    """Each of these finds the text."""
    return [Case(about, (text,), query, (0,), shown if place == 0 else None) for place, query in enumerate(queries)]


def _none(about: str, text: str, *queries: str) -> list[Case]:
    """None of these does."""
    return [Case(f"{about}, not", (text,), query, ()) for query in queries]


CASES: list[Case] = [
    # Scripts and languages
    *_one("English", "The quick brown Fox", "FOX", "quick fox", "bro", shown="The quick brown [Fox]"),
    *_none("English", "The quick brown Fox", "bro fox", "ox", "quick dog"),
    *_one("German", "Die Straße nach Köln", "strasse", "STRASSE", "koln", "Köln", shown="Die [Straße] nach Köln"),
    *_one("French", "L’été à la plage, œuvre", "ete", "l'été", "a plage", "oeuvre", shown="L’[été] à la plage, œuvre"),
    *_one("Spanish", "Mañana en Málaga", "manana", "malaga", shown="[Mañana] en Málaga"),
    *_one("Portuguese", "São João não", "sao joao", "nao"),
    *_one("Italian", "Perché no, città", "perche", "citta"),
    *_one("Polish", "Zażółć gęślą jaźń w Łodzi", "zazolc", "łodzi", "lodzi", "GĘŚLĄ"),
    *_one("Danish", "Rødgrød på Ærø", "rodgrod", "aero", "på"),
    *_one("Swedish", "Ängslig i Malmö", "angslig", "malmo"),
    *_one("Icelandic", "Þór og Eiður", "thor", "eidur"),
    *_one("Turkish", "İstanbul'da ısı", "istanbul", "ISTANBUL", "isi", "ısı", shown="[İstanbul]'da ısı"),
    *_one("Czech", "Příliš žluťoučký kůň", "prilis", "kun"),
    *_one("Croatian", "Đorđe iz Ćuprije", "dorde", "cuprije"),
    *_one("Hungarian", "Árvíztűrő tükörfúrógép", "arvizturo", "tukor"),
    *_one("Romanian", "Țară și Ștefan", "tara", "stefan"),
    *_one("Maltese", "Ħamrun", "hamrun"),
    *_one("Vietnamese", "Đường phố Hà Nội", "duong", "ha noi", "Hà Nội", shown="[Đường] phố Hà Nội"),
    *_one("Vietnamese, decomposed", "Ha\u0300 No\u0302\u0323i", "Hà Nội", shown="[Hà] [Nội]"),
    *_one("Greek", "Ο Οδυσσέας στην Ἀθήνα", "οδυσσεασ", "ΟΔΥΣΣΈΑΣ", "αθηνα"),
    *_one("Russian", "Ещё один Йод", "еще", "ЕЩЁ", "йод", shown="[Ещё] один Йод"),
    *_one("Ukrainian", "М’ята і Київ", "м'ята", "Мʼята", "київ"),
    *_one("Georgian", "თბილისი", "ᲗᲑᲘᲚᲘᲡᲘ", "თბილ"),
    *_one("Armenian", "Երևան", "երեւան", "ԵՐԵՒԱՆ"),
    *_one("Arabic", "مُحَمَّدٌ كَتَبَ الرِّسالةَ", "محمد", "كتب", "الرساله", shown="[مُحَمَّدٌ] كَتَبَ الرِّسالةَ"),
    *_one("Arabic", "أحمد في المدرســـة", "احمد", "المدرسة"),
    *_one("Persian", "می\u200cخواهم کتابی", "میخواهم", "كتابي"),
    *_one("Urdu", "پاکستان زندہ باد", "پاكستان", "زندہ"),
    *_one("Hebrew", "שָׁלוֹם עֲלֵיכֶם", "שלום", "עליכם", shown="[שָׁלוֹם] עֲלֵיכֶם"),
    *_one("Hindi", "मैं हिन्दी बोलता हूँ", "हिन्दी", "बोलता", shown="मैं [हिन्दी] बोलता हूँ"),
    *_none("Hindi", "मैं हिन्दी बोलता हूँ", "बोलती"),
    *_one("Bengali", "আমার সোনার বাংলা", "বাংলা"),
    *_one("Tamil", "தமிழ் மொழி", "தமிழ்"),
    *_one("Telugu", "తెలుగు భాష", "భాష"),
    *_one("Amharic", "አማርኛ ቋንቋ", "ቋንቋ"),
    *_one("Mongolian", "Монгол хэл", "монгол", "хэл"),
    *_one("Tibetan", "བོད་ཡིག", "ཡིག"),
    *_one(
        "Chinese",
        "我们在北京大学学习",
        "北京",
        "京大",
        "大学学习",
        "学",
        "我们在北京大学学习",
        shown="我们在[北京]大学学习",
    ),
    *_none("Chinese", "我们在北京大学学习", "东京", "北学", "习我"),
    *_one("Chinese, traditional", "臺灣大學的圖書館", "圖書館", "灣大"),
    *_one("Chinese, rare", "𠮷野家", "𠮷野", "𠮷"),
    *_one("Chinese with others", "2024年北京PM2.5报告", "2024年", "北京pm2.5", "报告", "年"),
    *_one("Japanese", "東京タワーへ行きました", "タワー", "京タ", "行きま", "へ", shown="東京[タワー]へ行きました"),
    *_one("Japanese, half-wide", "ｶﾞﾗｽの靴", "ガラス", "ｶﾞﾗｽ", shown="[ｶﾞﾗｽ]の靴"),
    *_none("Japanese", "ガラスの靴", "カラス"),
    *_one("Korean", "서울에서 만나요 API를", "서울", "서울 만나", "api", "API를", shown="[서울에서] 만나요 API를"),
    *_none("Korean", "서울에서 만나요", "울에서"),
    *_one("Thai", "ภาษาไทยง่ายมาก", "ไทย", "ภาษาไทย", "ง่าย", "ย", shown="ภาษา[ไทย]ง่ายมาก"),
    *_none("Thai", "ภาษาไทยง่ายมาก", "ลาว"),
    *_one("Lao", "ພາສາລາວ", "ລາວ"),
    *_one("Khmer", "ភាសាខ្មែរ", "ខ្មែរ"),
    *_one("Burmese", "မြန်မာဘာသာ", "ဘာသာ", "မြန်မာ"),
    # Forms, signs and numbers
    *_one("full width", "ＡＢＣ１２３ Ｈｅｌｌｏ", "abc123", "hello", shown="[ＡＢＣ１２３] Ｈｅｌｌｏ"),
    *_one("ligatures", "ﬁne oﬀer", "fine", "offer", shown="[ﬁne] oﬀer"),
    *_one("mathematical letters", "𝓗𝓮𝓵𝓵𝓸", "hello"),
    *_one("digits of other scripts", "سنة ٢٠٢٤, साल २०२५", "2024", "2025", "٢٠٢٤"),
    *_one("soft hyphens and joiners", "Zusam\u00admen\u200bhang", "zusammenhang"),
    *_one("C++", "We write C++ and C#, and .NET", "c++", "C#", ".net", "c", shown="We write [C++] and C#, and .NET"),
    *_one("C++ with a year", "since C++17", "c++", "17"),
    *_none("C++", "Vitamin C and a net", "c++", "c#", ".net"),
    *_none("C++", "See asp.net, page#section", ".net", "e#"),
    *_one("emoji", "Shipped 🚀 by 👨‍👩‍👧", "🚀", "👨‍👩‍👧", shown="Shipped [🚀] by 👨‍👩‍👧"),
    *_one("emoji of any colour", "👍🏽 done ❤️", "👍", "👍🏿", "❤", "❤️"),
    *_one("flags", "🇩🇪🇫🇷 and 🏴󠁧󠁢󠁳󠁣󠁴󠁿", "🇫🇷", "🏴󠁧󠁢󠁳󠁣󠁴󠁿"),
    *_none("flags", "🇩🇪🇫🇷", "🇪🇫"),
    *_one(
        "an address", "mail ada.l@mail.example.org", "ada", "example", "ada.l@mail.example.org", "mail.example", "org"
    ),
    *_one("ids", "INV-2024-001 user_name v1.2.3", "INV-2024-001", "2024", "001", "name", "2.3", "v1.2"),
    *_none("ids", "INV-2024-001", "INV-001", "2024-INV", '"001 2024"'),
    *_one("a uuid", "9f1c2d3e-0000-4a5b-8c6d-7e8f90a1b2c3", "9f1c2d3e", "4a5b-8c6d", "9F1C2D3E-0000-4A5B"),
    *_one("a long token", "x" * 200 + "y end", "x" * 200 + "y", "end", "x" * 30),
    # Queries
    *_one("a phrase", "to be or not to be", '"not to be"', '"to be"', "“not to”", shown="to be or [not to be]"),
    *_none("a phrase", "to be or not to be", '"be to"', '"not t"', '"to be not"'),
    *_one("without", "red apple", "apple -green", 'apple -"apple red"', shown="red [apple]"),
    *_none("without", "red apple", "apple -red", 'apple -"red apple"', "-green", "-red", "red -apple"),
    *_one("without is a whole word", "red apple", "apple -re"),
    *_none("no word", "anything at all", "", " ", "-", "--", '"', '""', '-"', "!?", "…", "*", "\x00", "\ud83d"),
    *_one(
        "what engines take for a sign", "a near b c or not d and e", "a OR c", "near", "NOT d", "a AND e", "near(b c)"
    ),
    *_one("quotes that do not end", 'say "hello', '"hello', 'say "hello', '"say"hello'),
    *_one(
        "signs between words", "select title from words", "select:title", "title : words*", "^select", "'; select --"
    ),
    Case("both words, in whatever field", ("ada | lovelace", "ada | byron", "eve | lovelace"), "lovelace ada", (0,)),
    Case("no phrase over two fields", ("ada | lovelace",), '"ada lovelace"', ()),
    # Order
    Case("title, properties, body", ("c | x | ada", "b | ada", "ada | y"), "ada", (2, 1, 0), "[ada]"),
    Case(
        "more of it in the title", ("ada | lovelace", "ada lovelace | x", "x | ada lovelace"), "ada lovelace", (1, 0, 2)
    ),
    Case(
        "only in the body",
        ("x | y | ada lovelace", "x | ada | lovelace", "x | ada lovelace"),
        "ada lovelace",
        (2, 1, 0),
    ),
    Case("the title and no more", ("ada lovelace of london", "ada lovelace"), "ada lovelace", (1, 0)),
    Case("whole words before beginnings", ("adam eve smith", "see ada smith"), "ada", (1, 0)),
    Case("next to each other", ("ada and her lovelace", "see ada lovelace"), "ada lovelace", (1, 0)),
    Case("earlier", ("see the ada", "an ada too"), "ada", (1, 0)),
    Case("the newest change first", ("an ada a", "an ada b", "an ada c"), "ada", (0, 1, 2)),
    Case(
        "what is shown",
        ("title | " + "word " * 100 + "needle " + "word " * 100,),
        "needle",
        (0,),
        "…" + "word " * 5 + "[needle]" + " word" * 16 + "…",
    ),
]
