"""Which language a message is plainly in, by its commonest words: in a Spanish message a Polish pack has nothing to say.

The words are the commonest of each language in the shipped conversations (`corpus/tuning.jsonl`, `further.jsonl`; 0.22 %
of its words at least, and at most twice as common in another of the languages), as they stand in a canonical view. On the
conversations not counted for that (23,957 messages), 45 % of the messages have a language by this rule, and of those
0.3 % another than their conversation: 23 of these 32 are English lines in Filipino chats.
Arabic needs no list: its script tells.
"""

from collections import Counter

_COMMON = {
    "en": (
        "the you i a it is to and my in me on your for u do at one of its im what that she dont not with "
        "can so this he have we are just like tell thats her if be from got then up ur said or who only "
        "say did send ill how get about know shes by they here come now good will there"
    ),
    "es": (
        "la el a no de que y en me mi te lo con si se q es tu ya yo por del las los una un esta para pero "
        "va eso al tengo como voy quien mas soy nada hay manana dos"
    ),
    "fr": (
        "a la le est de je c pas tu j on t et l un il en ai elle les pour moi une ca mon ma avec as qui d "
        "toi dit au ta oui ce vous ton des non dans m fait sur quoi ou qu tout mais va bien lui dis plus "
        "fais alors"
    ),
    "de": (
        "ich du die das und der ist mit nicht was ja sie mir hab hat da den dann nur fur so wie im er an "
        "von ein bin dir auch wer am bei bist auf wir dich hast aber noch dem wenn ihr bitte war zu isch "
        "sind vom mein mal sag jetzt bis schon deine aus doch meine oder sonst dass gut mach"
    ),
    "pt": (
        "e a o de eu nao que da do q com pra minha ela vc se tem ta meu um so ele por isso em quem vai as "
        "uma aqui gente vou voce n mas tenho para entao os boa sem pro agora mais esta teu sua pode"
    ),
    "pl": (
        "nie to z w i do ja ze sie jak co jest tak za bo ma ale ty masz mnie tylko tez kto od juz czy "
        "moge jestem bedzie ci ile dobry dla ktos bez mowi ciebie"
    ),
    "fil": (
        "na po sa ko mo lang ng ako ka may yung si ang di pa wag ba pag yan nya naman ni ikaw nyo tayo "
        "kay kayo yun sya wala para mag sino kasama pwede kita ano mga hindi anong daw opo sabi nga ha "
        "isa oo bukas kami dito kung muna nung naka kasi ngayon lahat sabihin natin nasa"
    ),
    "hi": (
        "hai nahi me ke se pe bhi ka ki hu wo ho mai kya aur mat tha kar haan hi ek wali ye main kal ghar "
        "rahi raha ne mujhe toh aa thi diya baat bhai bol aaj wala meri sab mera bhej baje paas maine "
        "saath abhi pehle jo aap naam liye kisi ab pata didi bas gayi batana"
    ),
}
_LANGUAGES: dict[str, list[str]] = {}
for _language, _words in _COMMON.items():
    for _word in _words.split():
        _LANGUAGES.setdefault(_word, []).append(_language)
_LEAST, _SHARE, _AHEAD = 2, 0.3, 2
_MIXED = ("fil", "hi")
"""Languages that are written with much English in between."""


def plainly(view: str) -> str | None:
    """The language that a canonical view is plainly in, or None: three of ten words, two different ones at least, are among
    its commonest, and it has two more of them than any other language. What has two words of a language that English is
    mixed into is not plainly English, however much of it is."""
    words = view.split()
    known = [languages for word in words if (languages := _LANGUAGES.get(word))]
    if len(known) < _LEAST:
        return None
    counts = Counter(language for languages in known for language in languages)
    (language, count), *others = counts.most_common(2)
    different = sum(language in _LANGUAGES.get(word, ()) for word in set(words))
    ahead = count - (others[0][1] if others else 0)
    if different < _LEAST or count < _SHARE * len(words) or ahead < _AHEAD:
        return None
    if language == "en":
        apart = Counter(other for languages in known if "en" not in languages for other in languages)
        if any(apart[mixed] >= _LEAST for mixed in _MIXED):
            return None
    return language


def is_foreign(language: str, plain: str | None) -> bool:
    """Whether a pack of `language` has nothing to say of a message that is plainly in `plain`. English words are written
    in every language, and of a language without a list here nothing is known."""
    return plain is not None and language != plain and language != "en" and language in _COMMON
