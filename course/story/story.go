// Package story has stories that run: small worlds in which the equations meet, and what they
// print. A file is a story; sheet.go has what it is written on and where its chance comes from,
// table.go the language model that two of them share. Stories are the same wherever they are told:
// chance is seeded, and no choice hangs on last bits.
package story

import (
	"io"
	"slices"
)

// Story is a small world.
type Story struct {
	Name    string // of its page, docs/stories/Name.md
	Title   string
	Summary string                  // one sentence, for lists
	Tell    func(w io.Writer) error // writes it as plain text

	teller teller
	files  []string // of this package that the story is made of
}

// Stories returns all stories, in the order of the list.
func Stories() []Story { return slices.Clone(stories) }

var stories = []Story{
	{
		"mtp", "Two tokens at once, and drafts of one's own",
		"Which token is embedded where, which loss sees which target, and how drafts are kept or refused.",
		MTP, mtpStory, []string{"mtp.go"},
	},
	{
		"balance", "Experts kept evenly used",
		"A gate trained with an auxiliary loss and with a bias, and the MaxVio of both.",
		Balance, balanceStory, []string{"balance.go"},
	},
	{
		"fp8", "A linear layer in FP8",
		"The three products of a layer in FP8 blocks beside BF16 and float64, short sums, and a descent.",
		FP8, fp8Story, []string{"fp8.go"},
	},
	{
		"bandit", "One bandit, every rung of the ladder",
		"Monte Carlo, TD, SARSA, Q-learning, DQN, REINFORCE, actor-critic, TRPO, PPO, DPO, GRPO and GPPO.",
		Bandit, banditStory, []string{"bandit.go"},
	},
	{
		"ppo", "The four models of PPO",
		"Policy, reference, reward and value model on one prompt of three words: who is frozen, who learns what.",
		PPO, ppoStory, []string{"ppo.go"},
	},
	{
		"grpo", "GRPO, Dr. GRPO, DAPO and GPPO on one task",
		"Reward, KL, entropy and the lengths of right and wrong answers.",
		GRPO, grpoStory, []string{"grpo.go", "table.go"},
	},
	{
		"r1", "The stages of R1, and distillation",
		"Cold start, RL, rejection sampling, SFT and RL on a task with a rule, beside R1-Zero and a student.",
		R1, r1Story, []string{"r1.go", "table.go"},
	},
}
