using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Notify.Store.Migrations.SqlServer
{
    /// <inheritdoc />
    public partial class SweptParts : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "IX_FannedOutParts_FannedOutAt",
                table: "FannedOutParts");

            migrationBuilder.CreateIndex(
                name: "IX_FannedOutParts_FannedOutAt_Messages",
                table: "FannedOutParts",
                column: "FannedOutAt",
                filter: "\"Count\" = 0");

            migrationBuilder.CreateIndex(
                name: "IX_FannedOutParts_FannedOutAt_Parts",
                table: "FannedOutParts",
                column: "FannedOutAt",
                filter: "\"Count\" <> 0");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "IX_FannedOutParts_FannedOutAt_Messages",
                table: "FannedOutParts");

            migrationBuilder.DropIndex(
                name: "IX_FannedOutParts_FannedOutAt_Parts",
                table: "FannedOutParts");

            migrationBuilder.CreateIndex(
                name: "IX_FannedOutParts_FannedOutAt",
                table: "FannedOutParts",
                column: "FannedOutAt");
        }
    }
}
