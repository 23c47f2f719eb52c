/* orchestrator/cli/cmd_complete - what the shells' scripts ask while a command line is typed.
 *
 * Owns: the names of services, containers, images, volumes, networks and projects that are offered.
 * May not touch: anything: it only reads, and what cannot be read is not offered.
 */
#include "orchestrator/cli/cmd_complete.h"

#include <string.h>

#include "images/ref.h"
#include "images/store.h"
#include "orchestrator/cli/cmd_network.h"
#include "orchestrator/cli/cmd_volume.h"
#include "orchestrator/cli/view.h"
#include "orchestrator/transfer.h"
#include "volumes/volume.h"

struct offer {
	void (*add)(void *ctx, const char *name);
	void *ctx;
};

static void add_services(struct cli *cli, const struct offer *offer)
{
	struct load_result loaded;
	struct err err = ERR_NONE;
	AUTO(view) struct view *view = NULL;

	if (cli_load(cli, LOAD_ALL_SERVICES, NULL, &loaded, &err) == 0) {
		for (size_t i = 0; i < loaded.project->service_count; i++)
			offer->add(offer->ctx, loaded.project->services[i].name);
		return;
	}
	err = ERR_NONE;
	view = view_open(cli, false, &err);
	for (size_t i = 0; view && i < view->observed->count; i++)
		offer->add(offer->ctx, view->observed->containers[i].record->service);
}

static int add_project_containers(void *ctx, const struct view *view, struct err *err)
{
	const struct offer *offer = ctx;

	(void)err;
	for (size_t i = 0; i < view->observed->count; i++)
		offer->add(offer->ctx, view->observed->containers[i].record->name);
	return 0;
}

static void add_containers(struct cli *cli, const struct offer *offer)
{
	struct err err = ERR_NONE;
	struct offer copy = *offer;

	view_each(cli, add_project_containers, &copy, &err);
}

static void add_images(struct cli *cli, const struct offer *offer)
{
	struct err err = ERR_NONE;
	AUTO(store) struct store *store = NULL;
	struct image_record **images;
	size_t count;

	if (cli_roots(cli, &err) < 0)
		return;
	store = transfer_store_open(cli->roots->state, cli->roots->run,
				    options_text(options_globals(cli->options), "config"), &err);
	if (!store || store_list(store, &images, &count, &err) < 0)
		return;
	for (size_t i = 0; i < count; i++)
		for (size_t n = 0; n < images[i]->name_count; n++) {
			char name[REF_TEXT_MAX + 1];
			struct ref ref;

			if (ref_parse(images[i]->names[n], &ref, &err) == 0)
				offer->add(offer->ctx, ref_familiar(&ref, name, sizeof(name)));
		}
	image_records_free(images, count);
}

static void add_volumes(struct cli *cli, const struct offer *offer)
{
	struct err err = ERR_NONE;
	struct volume_store *store = volume_command_store(cli, &err);
	char **names;
	size_t count;

	if (!store)
		return;
	if (volume_names(store, &names, &count, &err) == 0) {
		for (size_t i = 0; i < count; i++)
			offer->add(offer->ctx, names[i]);
		volume_names_free(names, count);
	}
	volume_store_close(store);
}

static void add_networks(struct cli *cli, const struct offer *offer)
{
	struct err err = ERR_NONE;

	network_each_name(cli, offer->add, offer->ctx, &err);
}

static void add_projects(struct cli *cli, const struct offer *offer)
{
	struct err err = ERR_NONE;
	AUTO(names)
	char **names = cli_roots(cli, &err) < 0 ? NULL : project_names(cli->roots, &err);

	for (char **name = names; name && *name; name++)
		offer->add(offer->ctx, *name);
}

static void (*const adders[ARGUMENT_KIND_COUNT])(struct cli *cli, const struct offer *offer) = {
	[ARGUMENT_SERVICE] = add_services, [ARGUMENT_CONTAINER] = add_containers,
	[ARGUMENT_IMAGE] = add_images,     [ARGUMENT_VOLUME] = add_volumes,
	[ARGUMENT_NETWORK] = add_networks, [ARGUMENT_PROJECT] = add_projects,
};

void complete_machine_names(void *ctx, enum argument_kind kind, const struct options *so_far,
			    void (*add)(void *add_ctx, const char *name), void *add_ctx)
{
	const struct offer offer = { add, add_ctx };
	struct cli *cli = ctx;
	const struct options *own = cli->options;
	struct options *settable = cli->settable;

	if (!adders[kind])
		return;
	if (so_far) /* the flags of the line that is typed, not ours */
		cli->options = so_far;
	cli->settable = NULL;
	adders[kind](cli, &offer);
	cli->options = own;
	cli->settable = settable;
}
