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
	Summary string // one sentence, for lists

	teller teller
	files  []string // of this package that the story is made of
}

// Tell writes the story as plain text.
func (s Story) Tell(w io.Writer) error {
	_, err := io.WriteString(w, s.teller.sheet(0).plain())
	return err
}

// Stories returns all stories, in the order of the list.
func Stories() []Story { return slices.Clone(stories) }

var stories = []Story{
	{
		"mtp", "Two tokens at once, and drafts of one's own",
		"Which token is embedded where, which loss sees which target, and how drafts are kept or refused.",
		mtpStory, []string{"mtp.go"},
	},
	{
		"balance", "Experts kept evenly used",
		"A gate trained with an auxiliary loss and with a bias, and the MaxVio of both.",
		balanceStory, []string{"balance.go"},
	},
	{
		"fp8", "A linear layer in FP8",
		"The three products of a layer in FP8 blocks beside BF16 and float64, short sums, and a descent.",
		fp8Story, []string{"fp8.go"},
	},
	{
		"bandit", "One bandit, every rung of the ladder",
		"Monte Carlo, TD, SARSA, Q-learning, DQN, REINFORCE, actor-critic, TRPO, PPO, DPO, GRPO and GPPO.",
		banditStory, []string{"bandit.go"},
	},
	{
		"ppo", "The four models of PPO",
		"Policy, reference, reward and value model on one prompt of three words: who is frozen, who learns what.",
		ppoStory, []string{"ppo.go"},
	},
	{
		"grpo", "GRPO, Dr. GRPO, DAPO and GPPO on one task",
		"Reward, KL, entropy and the lengths of right and wrong answers.",
		grpoStory, []string{"grpo.go", "table.go"},
	},
	{
		"r1", "The stages of R1, and distillation",
		"Cold start, RL, rejection sampling, SFT and RL on a task with a rule, beside R1-Zero and a student.",
		r1Story, []string{"r1.go", "table.go"},
	},
}
